"""The host program `viipe`: composition, the tap's way, supervision, the command line."""
