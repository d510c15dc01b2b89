"""The output kind `record`: one line in a file for each granted command, to try a host without a strike (DESIGN.md §7)."""

import json
import os
from pathlib import Path

from outputs.output import Command, OutputFault


class Record:
    """Appends to the file at `path`; making one writes nothing."""

    def __init__(self, path: Path) -> None:
        """Open the file for appending, made where it is not there. Raises OutputFault when that cannot be done."""
        self._path = path
        try:
            self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise OutputFault(f"{path}: {error.strerror}") from error

    def move(self, command: Command) -> None:
        """Append the command as one line of JSON, by one write: a line is whole or not there."""
        line = json.dumps({"tap_id": command.tap_id, "pulse_s": command.pulse_s}) + "\n"
        try:
            written_bytes = os.write(self._descriptor, line.encode())
        except OSError as error:
            raise OutputFault(f"{self._path}: {error.strerror}") from error
        if written_bytes != len(line.encode()):
            raise OutputFault(f"{self._path}: a part of the line was written; is the disk full?")

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)
