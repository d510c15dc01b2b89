"""What hosts are told: published rows, signed snapshots and deltas, and the keys that sign them (DESIGN.md §4)."""
