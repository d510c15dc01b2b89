"""`./dev run`: the whole system on a machine without hardware, through the real PC/SC stack and a registry of its own."""
