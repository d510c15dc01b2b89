"""The wire: what host and registry say to each other, defined once for both (DESIGN.md §4)."""
