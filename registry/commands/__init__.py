"""The commands of `viipe-registry`, a module each."""
