"""The API that hosts speak (DESIGN.md §4), described by its own OpenAPI document."""
