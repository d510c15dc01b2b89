"""A host in small for tests of the whole: its file with a door in, a door out and a till, and pupils' cards to feed it with."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

HOST: Final = "crash-hall"
READERS: Final = ("front-in", "front-out", "till-1")
DOOR_IN, DOOR_OUT, TILL = range(3)
OUTPUTS: Final = ("front-strike", "front-lamp", "till-lamp")
PUPILS: Final = 60
KNOWN_UID: Final = bytes.fromhex("10000000")  # the first pupil's

_HOST_FILE: Final = """\
[host]
name = "{host}"
timezone = "Europe/Tallinn"
state_dir = "{state_dir}"

[[reader]]
name = "front-in"
kind = "pcsc"
match = "{names[0]}"
service = "door"
direction = "in"
outputs = ["front-strike", "front-lamp"]

[[reader]]
name = "front-out"
kind = "pcsc"
match = "{names[1]}"
service = "door"
direction = "out"
outputs = ["front-strike"]

[[reader]]
name = "till-1"
kind = "pcsc"
match = "{names[2]}"
service = "canteen"
outputs = ["till-lamp"]

[[output]]
name = "front-strike"
kind = "record"
path = "{moved}/front-strike.log"

[[output]]
name = "front-lamp"
kind = "record"
path = "{moved}/front-lamp.log"

[[output]]
name = "till-lamp"
kind = "record"
path = "{moved}/till-lamp.log"

[service.door]
kinds = ["personal"]

[service.canteen]
kinds = ["personal"]
per_day = 1
"""


def uid(pupil: int) -> bytes:
    """Return a pupil's UID; the numbers go round."""
    return (0x10000000 + pupil % PUPILS).to_bytes(4, "big")


def write_host_file(path: Path, state_dir: Path, *, names: Sequence[str] = READERS, moved: Path | None = None) -> Path:
    """Write the host's file; `names` are the PC/SC readers', `moved` is where the outputs' files lie (else in `state_dir`)."""
    path.write_text(_HOST_FILE.format(host=HOST, state_dir=state_dir, names=names, moved=moved or state_dir))
    return path


def write_cards(path: Path, pupils: int = PUPILS) -> Path:
    """Write a cards file of so many pupils."""
    lines = ["uid,card,person,kind,state,valid_from,valid_until,groups"]
    lines += [f"{uid(number).hex()},C-{number},P-{number},personal,active,,," for number in range(pupils)]
    path.write_text("\n".join(lines) + "\n")
    return path
