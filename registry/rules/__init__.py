"""Rules and calendars, version by version, checked by `policy` and previewed before they are published."""
