"""An output that runs a program: once for each grant, without a shell, ended by force at its deadline.

The deadline is kept outside of this process, by timeout(1) of coreutils, so that it holds when the daemon is killed
beside a running program. The program finds the pulse's length in VIIPE_PULSE_S and the tap's random id in VIIPE_TAP_ID,
and nothing else of ours; what it says on standard error is told when it fails.
"""

import os
import select
import signal
import subprocess
import time
from collections.abc import Sequence
from typing import Final

from outputs.output import Command, OutputFault

TIMEOUT: Final = "/usr/bin/timeout"
KILL_AFTER_S: Final = 1.0  # from asking the program to end to killing it
MARGIN_S: Final = 1.0
LOOK_S: Final = 0.01  # so soon a program's end is seen
TOLD_BYTES: Final = 200
PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_TIMED_OUT: Final = frozenset(
    {124, -signal.SIGKILL, 128 + signal.SIGKILL}
)  # timeout(1): asked to end; killed, itself too
_NOT_RUN: Final = {126: "it cannot be run", 127: "there is no such program"}


class RunCommand:
    """Runs `argv`; making one runs nothing."""

    def __init__(self, argv: Sequence[str], *, deadline_s: float = 5.0) -> None:
        """Keep what to run. Raises OutputFault for a program without an absolute path, or one that is not there."""
        if not argv or not argv[0].startswith("/"):
            raise OutputFault(f"command: found {argv[0] if argv else 'nothing'!r}, expected a program's absolute path")
        if not os.access(argv[0], os.X_OK):
            raise OutputFault(f"{argv[0]}: it is not there, or this user may not run it")
        self._program = argv[0]
        self._deadline_s = deadline_s
        self._argv = (TIMEOUT, f"--kill-after={KILL_AFTER_S}", f"{deadline_s}", *argv)

    def move(self, command: Command) -> None:
        """Run the program and wait for it. Raises OutputFault when it fails or does not end in time."""
        told = {"VIIPE_PULSE_S": f"{command.pulse_s:g}", "VIIPE_TAP_ID": command.tap_id}
        try:
            with subprocess.Popen(
                self._argv,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                env={"PATH": PATH, "LANG": "C.UTF-8", **told},
                start_new_session=True,
            ) as process:
                self._wait(process)
        except OSError as error:
            raise OutputFault(f"{self._program}: {error.strerror}") from error

    def close(self) -> None:
        """Nothing is held."""

    def _wait(self, process: subprocess.Popen[bytes]) -> None:
        """Hear the program out until it ends; raises OutputFault when it fails."""
        assert process.stderr is not None  # noqa: S101  it was asked for
        until_s = time.monotonic() + self._deadline_s + KILL_AFTER_S + MARGIN_S
        said, is_open = b"", True
        while process.poll() is None:
            if time.monotonic() >= until_s:  # timeout(1) itself is stuck
                os.killpg(process.pid, signal.SIGKILL)
                raise OutputFault(f"{self._program}: it did not end, and was killed")
            if not is_open:
                time.sleep(LOOK_S)  # it closed its standard error, and works on
            elif select.select([process.stderr], [], [], LOOK_S)[0]:
                data = os.read(process.stderr.fileno(), 65_536)
                said, is_open = (said + data)[:TOLD_BYTES], bool(data)
        if is_open and select.select([process.stderr], [], [], 0)[0]:  # its last words, said since the last look
            said = (said + os.read(process.stderr.fileno(), 65_536))[:TOLD_BYTES]
        self._judge(process.returncode, said)

    def _judge(self, code: int, said: bytes) -> None:
        if code in _TIMED_OUT:
            raise OutputFault(f"{self._program}: it had not ended after {self._deadline_s:g} s, and was killed")
        if code != 0:
            told = said.decode(errors="replace").strip()
            why = _NOT_RUN.get(code, f"it ended with code {code}")
            raise OutputFault(f"{self._program}: {why}{': ' + told if told else ''}")
