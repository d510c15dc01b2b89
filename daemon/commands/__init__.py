"""The host's commands, a module each: `add_arguments` says what it takes, `perform` does it and returns the exit code."""
