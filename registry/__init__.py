"""The registry: where schools keep persons, cards, services and rules, and what tells each reader host what it needs to know."""
