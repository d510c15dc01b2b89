"""What hosts tell: events taken exactly once, facts folded in, quota claimed, and all of it forgotten in time."""
