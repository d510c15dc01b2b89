"""The host's side of the network: what it fetches from the registry, and how its events go there (DESIGN.md §1, §4)."""
