"""`./dev run`: the whole host on a machine without hardware, through the real PC/SC stack; with a real reader attached that one is used.

A private pcscd with virtual readers, the sample cards of the two schools, and the real daemon in a state directory of its own. `--check`
taps a few cards, prints a line each, and says by its exit code whether all answers were right.
"""

import argparse
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from daemon.control import NotRunning, ask
from policy.phrases import phrase
from policy.reasons import Reason
from readers.private_pcscd import PrivatePcscd
from readers.reader import ReaderFault
from readers.virtual_card import FIRST_PORT, VirtualCard
from sync.journal_reading import read_events
from sync.wire.event import EventKind

VIIPE: Final = Path(sys.executable).with_name("viipe")
SAMPLES: Final = Path(__file__).parent / "samples" / "cards.csv"
START_WITHIN_S: Final = 10.0
ANSWER_WITHIN_S: Final = 5.0
POLL_S: Final = 0.05
LIFTED_S: Final = 1.0  # pcscd sees within 0.4 s that a card is gone, and it counts as gone 0.2 s later
TILL: Final = 1  # which virtual reader is the canteen's
DOOR: Final = 0

HOST_FILE: Final = """\
[host]
name = "tryout"
timezone = "Europe/Tallinn"
state_dir = "{state_dir}"

[[reader]]
name = "front-in"
kind = "pcsc"
match = "{door}"
service = "door"
direction = "in"
outputs = ["front-strike"]
{till}
[[output]]
name = "front-strike"
kind = "record"
path = "{state_dir}/front-strike.log"
pulse_s = 3

[service.door]
kinds = ["personal", "substitute", "staff"]

[service.canteen]
kinds = ["personal", "substitute"]
per_day = 1
"""
TILL_TABLE: Final = """
[[reader]]
name = "till-1"
kind = "pcsc"
match = "{till}"
service = "canteen"
"""


@dataclass(frozen=True, slots=True)
class Trial:
    """One tap of `--check`: who taps where, and the answer that is right."""

    told: str
    uid: str
    place: int
    verdict: str
    reason: str


TRIALS: Final = (
    Trial("a good card at the door", "EBF2CE70", DOOR, "grant", "ok"),
    Trial("a closed card at the door", "5A17C3E2", DOOR, "deny", "closed"),
    Trial("a good card in the canteen", "EBF2CE70", TILL, "grant", "ok"),
    Trial("a closed card in the canteen", "5A17C3E2", TILL, "deny", "closed"),
    Trial("a lent substitute in the canteen", "77E01B2D", TILL, "grant", "ok"),
    Trial("the same substitute in the canteen again", "77E01B2D", TILL, "deny", "already_today"),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Bring the host up; stay until Ctrl-C, or check it and end."""
    parser = argparse.ArgumentParser(prog="./dev run", description="Bring a host up on this machine, to try it.")
    parser.add_argument(
        "--check", action="store_true", help="tap a few cards, say whether the answers were right, and end"
    )
    arguments = parser.parse_args(argv)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell that starts us in the background has it ignored
    try:
        with contextlib.ExitStack() as stack:
            return _check(stack) if arguments.check else _stay(stack)
    except KeyboardInterrupt:
        return 0
    except (ReaderFault, StartFault) as error:
        print(f"./dev run: {error}", file=sys.stderr)
        return 1


class StartFault(Exception):
    """The host did not come up, or went down."""


def _check(stack: contextlib.ExitStack) -> int:
    """Tap the trials' cards at virtual readers; 0 when each was answered right."""
    state_dir = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="viipe-check-")))
    pcscd = stack.enter_context(PrivatePcscd(readers=2))
    host = stack.enter_context(_host(state_dir, pcscd.names, pcscd.environ()))
    right = [_is_right(trial, state_dir, pcscd, host) for trial in TRIALS]
    print(f"{sum(right)} of {len(right)} answers were right", file=sys.stderr)
    return 0 if all(right) else 1


def _is_right(trial: Trial, state_dir: Path, pcscd: PrivatePcscd, host: "subprocess.Popen[bytes]") -> bool:
    journal, strike = state_dir / "journal.db", state_dir / "front-strike.log"
    before = _last_tap(journal)
    moved_before = strike.stat().st_size
    with VirtualCard(bytes.fromhex(trial.uid), port=pcscd.ports[trial.place]):
        _wait_until(lambda: _last_tap(journal) != before, host, f"no answer to {trial.told}", ANSWER_WITHIN_S)
    event = _last_tap(journal)
    time.sleep(LIFTED_S)
    moves = strike.stat().st_size > moved_before
    answer = (event["verdict"], event["reason"])
    right = answer == (trial.verdict, trial.reason) and moves == (trial.verdict == "grant" and trial.place == DOOR)
    told = f"{event['verdict']}, {phrase(Reason(event['reason']), 'en')}; the strike {'moved' if moves else 'stayed'}"
    print(f"{'right' if right else 'WRONG'}: {trial.told}: {told} ({event['latency_ms']} ms)", flush=True)
    return right


def _stay(stack: contextlib.ExitStack) -> int:
    """Run in the foreground until Ctrl-C, and tell how to tap."""
    state_dir = Path("var/tryout").resolve()
    if _runs(state_dir):
        raise StartFault(f"one runs already, in {state_dir}: end it first")
    shutil.rmtree(state_dir, ignore_errors=True)
    state_dir.mkdir(parents=True)
    real = _real_readers()
    if real:
        names, environ, how = real, {}, "hold a card to the reader"
    else:
        pcscd = stack.enter_context(_virtual_readers())
        names, environ = pcscd.names, pcscd.environ()
        how = "\n".join([*(f"  export {name}={value}" for name, value in environ.items()), _how_to_tap(pcscd)])
    host = stack.enter_context(_host(state_dir, names, environ))
    print(f"""
The host runs: readers {", ".join(names[:2])}; its file is var/tryout/host.toml.
In a second terminal, in this folder:

{how}

What happens is shown here, and by  .venv/bin/viipe events --follow --config var/tryout/host.toml
The strike's commands are lines in  var/tryout/front-strike.log. Ctrl-C ends all.
""")
    code = host.wait()
    raise StartFault(f"the host ended by itself with exit code {code} (a negative one is the signal that killed it)")


def _how_to_tap(pcscd: PrivatePcscd) -> str:
    port = "" if pcscd.ports[0] == FIRST_PORT else f" --first-port {pcscd.ports[0]}"
    tap = f".venv/bin/viipe virtual-card {{}} --reader {{}}{port} --config var/tryout/host.toml"
    cards = (
        ("EBF2CE70", "front-in", "a pupil's card at the door"),
        ("04A1B2C3D4E5F6", "front-in", "another, with a UID of 7 bytes"),
        ("5A17C3E2", "front-in", "a closed card"),
        ("081A2B3C", "front-in", "a random UID, as some bank cards show"),
        ("77E01B2D", "till-1", "a lent substitute in the canteen: twice, and the second is refused"),
        ("6611AA03", "till-1", "a substitute that nobody was lent: the till asks"),
    )
    return "\n".join(f"  {tap.format(uid, reader)}   # {told}" for uid, reader, told in cards)


def _virtual_readers() -> PrivatePcscd:
    """Take the stock ports where they are free: `viipe virtual-card` then needs no option."""
    pcscd = PrivatePcscd(readers=2, first_port=FIRST_PORT)
    try:
        pcscd.start()
    except ReaderFault:
        pcscd.close()
        return PrivatePcscd(readers=2)
    pcscd.stop()
    return pcscd


def _real_readers() -> tuple[str, ...]:
    """Ask the machine's own pcscd, from a process of its own: a process that has met one PC/SC daemon never meets another."""
    asked = subprocess.run(
        [VIIPE, "readers", "--json", "--config", "/dev/null"],
        capture_output=True,
        text=True,
        timeout=START_WITHIN_S,
        check=False,
    )
    names = [json.loads(line)["name"] for line in asked.stdout.splitlines()]
    return tuple(name for name in names if not name.startswith("Virtual "))


@contextlib.contextmanager
def _host(state_dir: Path, names: Sequence[str], environ: dict[str, str]) -> Iterator["subprocess.Popen[bytes]"]:
    """Feed a host with the sample cards and run it, in a session of its own, so that it is ended in order."""
    file = state_dir / "host.toml"
    till = TILL_TABLE.format(till=_pattern(names[TILL])) if len(names) > TILL else ""
    file.write_text(HOST_FILE.format(state_dir=state_dir, door=_pattern(names[DOOR]), till=till))
    whole = {**os.environ, **environ}
    imported = subprocess.run(
        [VIIPE, "cards", "import", SAMPLES, "--config", file], env=whole, capture_output=True, text=True, check=False
    )
    if imported.returncode:
        raise StartFault(f"the sample cards were not taken: {imported.stderr}")
    host = subprocess.Popen(
        ["/usr/bin/setpriv", "--pdeathsig", "TERM", "--", VIIPE, "run", "--config", file],
        env=whole,
        start_new_session=True,
    )
    try:
        _wait_until(lambda: _reads(state_dir), host, "the host does not come up", START_WITHIN_S)
        yield host
    finally:
        host.terminate()
        try:
            host.wait(START_WITHIN_S)
        except subprocess.TimeoutExpired:
            host.kill()


def _pattern(name: str) -> str:
    """Write a reader's name as the shell pattern that means it alone, within a TOML string."""
    return name.replace("[", "[[]").replace("\\", "\\\\").replace('"', '\\"')


def _runs(state_dir: Path) -> bool:
    try:
        ask(state_dir, "status")
    except NotRunning:
        return False
    return True


def _reads(state_dir: Path) -> bool:
    try:
        told = ask(state_dir, "status")
    except NotRunning:
        return False
    return all(reader["state"] == "reading" for reader in told["readers"])


def _last_tap(journal: Path) -> dict[str, Any]:
    events = [json.loads(body) for _, body in read_events(journal)]
    taps = [event for event in events if event["kind"] == EventKind.TAP]
    return taps[-1] if taps else {}


def _wait_until(holds: Callable[[], bool], host: "subprocess.Popen[bytes]", otherwise: str, within_s: float) -> None:
    deadline = time.monotonic() + within_s
    while not holds():
        if host.poll() is not None:
            raise StartFault(f"the host ended with exit code {host.returncode}")
        if time.monotonic() > deadline:
            raise StartFault(f"{otherwise} within {within_s:.0f} s")
        time.sleep(POLL_S)


if __name__ == "__main__":
    sys.exit(main())
