"""What programs did to one folder, call by call: they run under strace, and its log is read back as operations in order.

A write or a change of a name counts from the moment it was asked for; a sync counts once it has returned, and for the writes
that had returned before it was asked for. So the order errs to the side of the crash.
"""

import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

TRACER_ENDS_WITHIN_S: Final = 20.0
NEVER: Final = sys.maxsize
_POLL_S: Final = 0.01
_UNDERSTOOD: Final = (
    "openat",
    "write",
    "pwrite64",
    "fsync",
    "fdatasync",
    "ftruncate",
    "rename",
    "renameat",
    "renameat2",
    "unlink",
    "unlinkat",
)
# Nobody writes in these ways today; the reading stops where one turns up, rather than pass it over.
_NOT_UNDERSTOOD: Final = ("pwritev", "pwritev2", "writev", "fallocate", "copy_file_range", "sendfile", "linkat", "link")


@dataclass(frozen=True, slots=True)
class Write:
    """Bytes written at `offset`; None is the file's end (what is opened to append, or written from its start in one go)."""

    name: str
    offset: int | None
    data: bytes


@dataclass(frozen=True, slots=True)
class Truncate:
    """A file cut or lengthened to `length` bytes."""

    name: str
    length: int


@dataclass(frozen=True, slots=True)
class Sync:
    """A file's bytes made durable; the empty name is the folder itself, whose names then are."""

    name: str


@dataclass(frozen=True, slots=True)
class Open:
    """A file opened that may be made by it."""

    name: str


@dataclass(frozen=True, slots=True)
class Rename:
    """A name moved over another."""

    name: str
    to: str


@dataclass(frozen=True, slots=True)
class Unlink:
    """A name taken away."""

    name: str


@dataclass(frozen=True, slots=True)
class Said:
    """Bytes written to a stream outside of the folder, such as a command's answer."""

    data: bytes


What = Write | Truncate | Sync | Open | Rename | Unlink | Said


@dataclass(frozen=True, slots=True)
class Operation:
    """One call's effect. `began_us` and `ended_us` are the wall clock's microseconds."""

    what: What
    began_us: int
    ended_us: int

    @property
    def at_us(self) -> int:
        """When it counts."""
        return self.ended_us if isinstance(self.what, Sync) else self.began_us


@contextmanager
def traced(command: Sequence[str | Path], log: Path, env: Mapping[str, str]) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a program under strace; the process given is the program itself. On leaving it must have been ended."""
    tracer = ["strace", "-D", "-f", "--seccomp-bpf", "-ttt", "-xx", "-y", "-s", str(2 << 20), "-o", str(log)]
    calls = ",".join(_UNDERSTOOD + tuple(f"?{name}" for name in _NOT_UNDERSTOOD))
    told = log.with_suffix(".told")
    with told.open("wb") as output:
        process = subprocess.Popen(
            [*tracer, "-e", f"trace={calls}", "--", *map(str, command)],
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    try:
        yield process
        process.wait(TRACER_ENDS_WITHIN_S)
    except BaseException:
        process.kill()
        process.wait()
        sys.stderr.write(told.read_text(errors="replace")[-4000:])  # pytest shows it beside the failure
        raise
    _wait_for_the_end(log, process.pid)


def _wait_for_the_end(log: Path, pid: int) -> None:
    """Wait until the tracer, which outlives the program, has told of its end."""
    end = re.compile(rb"^%d +[\d.]+ \+\+\+ (exited|killed)" % pid, re.MULTILINE)
    deadline = time.monotonic() + TRACER_ENDS_WITHIN_S
    while end.search(_tail(log)) is None:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{log}: strace has not told of the end of process {pid}")
        time.sleep(_POLL_S)


def _tail(log: Path) -> bytes:
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - 4000))
        return file.read()


def read_operations(logs: Sequence[Path], folder: Path) -> list[Operation]:
    """Return what the logs tell of `folder`, in the order in which it counts."""
    found = [operation for log in logs for operation in _operations(log, folder)]
    return sorted(found, key=lambda operation: operation.at_us)


_LINE: Final = re.compile(rb"(\d+) +(\d+)\.(\d{6}) (.*)", re.DOTALL)
_CALL: Final = re.compile(rb"(\w+)\((.*)\) += (\d+|\?)[^\d].*", re.DOTALL)
_UNFINISHED: Final = b" <unfinished ...>"
_RESUMED: Final = re.compile(rb"<\.\.\. (\w+) resumed>(.*)", re.DOTALL)
_HEX: Final = rb"((?:\\x[0-9a-f]{2})*)"
_ON_FILE: Final = re.compile(rb"(\d+)<" + _HEX + rb">")
_TEXT: Final = re.compile(rb'"' + _HEX + rb'"(\.\.\.)?')


def _operations(log: Path, folder: Path) -> Iterator[Operation]:
    begun: dict[bytes, tuple[int, bytes]] = {}
    with log.open("rb") as lines:
        for line in lines:
            parts = _LINE.fullmatch(line.rstrip(b"\n"))
            assert parts is not None, line[:200]
            pid, at_us, text = parts[1], int(parts[2] + parts[3]), parts[4]
            began_us = at_us
            if text.endswith(_UNFINISHED):
                begun[pid] = at_us, text.removesuffix(_UNFINISHED)
                continue
            if (resumed := _RESUMED.fullmatch(text)) is not None:
                began_us, start = begun.pop(pid)
                text = start + resumed[2]
            yield from (Operation(what, began_us, at_us) for what in _effects(text + b" ", folder))
    for began_us, start in begun.values():
        yield from (Operation(what, began_us, NEVER) for what in _effects(start + b") = ? ", folder))


def _effects(text: bytes, folder: Path) -> Iterator[What]:
    call = _CALL.fullmatch(text)
    if call is None:  # it failed, or a process ended
        return
    name, arguments = call[1].decode(), call[2]
    answer = None if call[3] == b"?" else int(call[3])  # a SIGKILL cut it off: it may have had its effect or not
    if name in _NOT_UNDERSTOOD:
        assert bytes(folder).hex() not in arguments.replace(b"\\x", b"").decode(), f"{name} is not understood here"
        return
    if name in {"write", "pwrite64", "fsync", "fdatasync", "ftruncate"}:
        yield from _effects_on_file(name, arguments, answer, folder)
    else:
        yield from _effects_on_names(name, arguments, folder)


def _effects_on_file(name: str, arguments: bytes, answer: int | None, folder: Path) -> Iterator[What]:
    on_file = _ON_FILE.match(arguments)
    assert on_file is not None, arguments[:200]
    inside = _inside(_plain(on_file[2]).decode(), folder)
    if inside is None:
        if name == "write" and on_file[1] in {b"1", b"2"}:
            yield Said(_data(arguments)[:answer])
    elif name in {"fsync", "fdatasync"}:
        if answer is not None:
            yield Sync(inside)
    elif name == "ftruncate":
        yield Truncate(inside, int(arguments.rpartition(b", ")[2]))
    else:
        offset = int(arguments.rpartition(b", ")[2]) if name == "pwrite64" else None
        data = _data(arguments)
        yield Write(inside, offset, data[:answer])


def _effects_on_names(name: str, arguments: bytes, folder: Path) -> Iterator[What]:
    paths = [_inside(_plain(found[1]).decode(), folder) for found in _TEXT.finditer(arguments)]
    if paths[0] is None:
        return
    if name.startswith("rename"):
        assert paths[1] is not None, "renamed out of the folder"
        yield Rename(paths[0], paths[1])
    elif name.startswith("unlink"):
        yield Unlink(paths[0])
    elif b"O_CREAT" in arguments:
        yield Open(paths[0])
        if b"O_TRUNC" in arguments:
            yield Truncate(paths[0], 0)


def _inside(path: str, folder: Path) -> str | None:
    """Return the name within `folder`, empty for the folder itself; None for what lies elsewhere or is gone already."""
    if path == str(folder):
        return ""
    before = f"{folder}/"
    return path.removeprefix(before) if path.startswith(before) and not path.endswith(" (deleted)") else None


def _data(arguments: bytes) -> bytes:
    text = _TEXT.search(arguments)
    assert text is not None, arguments[:200]
    assert text[2] is None, "strace cut a write short: raise its -s"
    return _plain(text[1])


def _plain(text: bytes) -> bytes:
    return bytes.fromhex(text.replace(b"\\x", b"").decode())
