"""The pages of a host: a till's display, the canteen's shift and the library's desk, in a process of their own (ADR 0022)."""
