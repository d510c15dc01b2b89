"""The back office: pages of Django's admin for the IT worker, the secretary, and those who look."""
