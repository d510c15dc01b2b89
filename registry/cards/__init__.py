"""The life of a card: its states, validity, succession, and the loans of substitutes (DOMAIN.md §2)."""
