"""Prepaid accounts (V6.5): what was paid in, what was charged for, and what is left, as a ledger that always adds up (docs/adr/0020)."""
