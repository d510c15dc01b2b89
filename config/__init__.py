"""The host's TOML file as one frozen, validated object, and commented example files."""
