"""Whole schools out of files: what a school is, its services, rules, calendar, hosts, persons and cards in one TOML."""
