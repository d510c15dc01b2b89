"""A daemon's end of a guarded output, in a process that a test kills.

    python -m tests.rig.output_parent SPEC PULSE_S

With a pulse it grants once; then it waits to be killed. It says `ready` when the output is open, or has moved.
"""

import sys
import time

from outputs.guarded import Guarded
from outputs.output import Command
from outputs.switch import from_json

if __name__ == "__main__":
    output = Guarded(from_json(sys.argv[1]), max_pulse_s=60)
    if float(sys.argv[2]):
        output.move(Command("tap", float(sys.argv[2])))
    print("ready", flush=True)  # noqa: T201  its one word
    time.sleep(60)
