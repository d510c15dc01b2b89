"""The command line of `./dev run`: bring registry, readers and host up and stay; or, with `--check`, tap a few cards and end.

With a real reader attached that one is used. `--check` prints a line for each tap, and says by its exit code whether all were right.
"""

import argparse
import contextlib
import json
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from daemon.tryout import host as host_beside
from daemon.tryout.fault import StartFault, wait_until
from daemon.tryout.host import BESIDE, NAME, VIIPE, Host, Ports
from daemon.tryout.office import Office
from daemon.tryout.registry import ADMIN, PORT, Registry, port_near, serving
from daemon.tryout.trials import DOOR, TRIALS, Trial
from policy.phrases import phrase
from policy.reasons import Reason
from readers.private_pcscd import PrivatePcscd
from readers.reader import ReaderFault
from readers.virtual_card import FIRST_PORT, VirtualCard
from sync.journal_reading import read_events
from sync.wire.event import EventKind

SCHOOL: Final = "thg"
FOLDER: Final = Path("var/tryout")
WORKER: Final = "Proovi Söökla"
PIN: Final = "2468"
SCREENS: Final = (8480, 8481)
NEIGHBOURS: Final = (8441, 8442)
SECOND_TILL: Final = 2  # which virtual reader it is
READERS_WITHIN_S: Final = 10.0
ANSWER_WITHIN_S: Final = 5.0
TOLD_WITHIN_S: Final = 5.0
LIFTED_S: Final = 1.0  # pcscd sees within 0.4 s that a card is gone, and it counts as gone 0.2 s later


def main(argv: Sequence[str] | None = None) -> int:
    """Bring all up; stay until Ctrl-C, or check it and end."""
    parser = argparse.ArgumentParser(prog="./dev run", description="Bring a school up on this machine, to try it.")
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


def _check(stack: contextlib.ExitStack) -> int:
    """Tap the trials' cards at virtual readers; 0 when each was answered right."""
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="viipe-check-")))
    registry = stack.enter_context(serving(folder / "registry"))
    pcscd = stack.enter_context(PrivatePcscd(readers=2))
    host = stack.enter_context(host_beside.running(folder, registry, SCHOOL, pcscd.names, pcscd.environ()))
    right = [_is_right(trial, registry, pcscd, host) for trial in TRIALS]
    print(f"{sum(right)} of {len(right)} answers were right", file=sys.stderr)
    return 0 if all(right) else 1


def _is_right(trial: Trial, registry: Registry, pcscd: PrivatePcscd, host: Host) -> bool:
    if trial.before:
        version = host.version()
        registry.command(*trial.before)
        wait_until(lambda: host.version() > version, host.process, "the host was not told", TOLD_WITHIN_S)
    journal, strike = host.state_dir / "journal.db", host.state_dir / "front-strike.log"
    before, moved_before = _last_tap(journal), strike.stat().st_size
    with VirtualCard(bytes.fromhex(trial.uid), port=pcscd.ports[trial.place]):
        otherwise = f"no answer to {trial.told}"
        wait_until(lambda: _last_tap(journal) != before, host.process, otherwise, ANSWER_WITHIN_S)
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
    folder = FOLDER.resolve()
    if host_beside.is_running(folder):
        raise StartFault(f"one runs already, in {folder}: end it first")
    shutil.rmtree(folder, ignore_errors=True)
    registry = stack.enter_context(serving(folder / "registry", PORT))
    if real := _real_readers():
        names, environ, how = real, {}, "hold a card to the reader"
    else:
        pcscd = stack.enter_context(_virtual_readers())
        names, environ = pcscd.names, pcscd.environ()
        how = "\n".join([*(f"  export {name}={value}" for name, value in environ.items()), _how_to_tap(pcscd)])
    ports = [Ports(port_near(screen), port_near(other)) for screen, other in zip(SCREENS, NEIGHBOURS, strict=True)]
    host = stack.enter_context(host_beside.running(folder, registry, SCHOOL, names, environ, ports=ports[0]))
    has_two_tills = not real and len(names) > SECOND_TILL
    if has_two_tills:
        name = names[SECOND_TILL]
        stack.enter_context(host_beside.running_beside(folder, registry, SCHOOL, name, environ, ports=ports[1]))
    _show_names(registry, [NAME, BESIDE] if has_two_tills else [NAME])
    beside = f"\n                             http://127.0.0.1:{ports[1].screen}/   of till-2, a host of its own"
    print(f"""
The registry's back office:  {registry.url}/    user {ADMIN}, password {registry.password}
The tills' screens:          http://127.0.0.1:{ports[0].screen}/   of till-1{beside if has_two_tills else ""}
                             (a shift is opened there by the PIN {PIN})
The host runs: readers {", ".join(names[:2])}; its file is {FOLDER}/host.toml.
In a second terminal, in this folder:

{how}

Close a card in the back office, or by  .venv/bin/viipe-registry --data {FOLDER}/registry card close THG-0002 --reason lost
and tap it again: it is refused at once.

What happens is shown here, and by  .venv/bin/viipe events --follow --config {FOLDER}/host.toml
The strike's commands are lines in  {FOLDER}/host/front-strike.log. Ctrl-C ends all.
""")
    code = host.process.wait()
    raise StartFault(f"the host ended by itself with exit code {code} (a negative one is the signal that killed it)")


def _show_names(registry: Registry, hosts: Sequence[str]) -> None:
    """Let the tills show the sample school's names, and give the canteen a worker, as an administrator does in the office."""
    office = Office(registry)
    for host in hosts:
        office.let_show(host, "canteen")
    office.add_worker(SCHOOL, WORKER, PIN)


def _how_to_tap(pcscd: PrivatePcscd) -> str:
    port = "" if pcscd.ports[0] == FIRST_PORT else f" --first-port {pcscd.ports[0]}"
    tap = f".venv/bin/viipe virtual-card {{}} --reader {{}}{port} --config {FOLDER}/{{}}.toml"
    cards = (
        ("EBF2CE70", "front-in", "a pupil's card at the door"),
        ("04A1B2C3D4E5F6", "front-in", "another, with a UID of 7 bytes: number THG-0002"),
        ("5A17C3E2", "front-in", "a closed card"),
        ("081A2B3C", "front-in", "a random UID, as some bank cards show"),
        ("77E01B2D", "till-1", "a lent substitute in the canteen: twice, and the second is refused"),
        ("77E01B2D", "till-2", "the same at the other till: refused there, too"),
        ("6611AA03", "till-1", "a substitute that nobody was lent: the till asks"),
    )
    files = {BESIDE: BESIDE}
    return "\n".join(
        f"  {tap.format(uid, reader, files.get(reader, 'host'))}   # {told}" for uid, reader, told in cards
    )


def _virtual_readers() -> PrivatePcscd:
    """Take the stock ports where they are free: `viipe virtual-card` then needs no option."""
    pcscd = PrivatePcscd(readers=3, first_port=FIRST_PORT)
    try:
        pcscd.start()
    except ReaderFault:
        pcscd.close()
        return PrivatePcscd(readers=3)
    pcscd.stop()
    return pcscd


def _real_readers() -> tuple[str, ...]:
    """Ask the machine's own pcscd, from a process of its own: a process that has met one PC/SC daemon never meets another."""
    asked = subprocess.run(
        [VIIPE, "readers", "--json", "--config", "/dev/null"],
        capture_output=True,
        text=True,
        timeout=READERS_WITHIN_S,
        check=False,
    )
    names = [json.loads(line)["name"] for line in asked.stdout.splitlines()]
    return tuple(name for name in names if not name.startswith("Virtual "))


def _last_tap(journal: Path) -> dict[str, Any]:
    events = [json.loads(body) for _, body in read_events(journal)]
    taps = [event for event in events if event["kind"] == EventKind.TAP]
    return taps[-1] if taps else {}


if __name__ == "__main__":
    sys.exit(main())
