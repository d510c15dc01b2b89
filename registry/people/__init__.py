"""Persons and their stays: rosters brought in, leavings proposed, classes rolled over."""
