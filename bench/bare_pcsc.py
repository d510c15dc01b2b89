"""The floor under a tap's way from the field: `python -m bench.bare_pcsc READER` does for each card what PC/SC itself takes, and no more.

A change of the reader's status, a connection to the card, FF CA 00 00 00; then the UID as a line on standard output.
"""

import os
import sys

from smartcard import scard

GET_UID = [0xFF, 0xCA, 0x00, 0x00, 0x00]


def main(reader: str) -> None:
    """Read cards for ever; whoever started this ends it."""
    _, context = scard.SCardEstablishContext(scard.SCARD_SCOPE_SYSTEM)
    state = scard.SCARD_STATE_UNAWARE
    os.write(1, b"ready\n")
    while True:
        code, states = scard.SCardGetStatusChange(context, 60_000, [(reader, state)])
        if code == scard.SCARD_E_TIMEOUT:
            continue
        state = states[0][1]
        if not state & scard.SCARD_STATE_PRESENT:
            continue
        code, card, protocol = scard.SCardConnect(
            context, reader, scard.SCARD_SHARE_SHARED, scard.SCARD_PROTOCOL_T0 | scard.SCARD_PROTOCOL_T1
        )
        if code != scard.SCARD_S_SUCCESS:
            continue
        _, answer = scard.SCardTransmit(card, protocol, GET_UID)
        os.write(1, bytes(answer).hex().encode() + b"\n")
        scard.SCardDisconnect(card, scard.SCARD_LEAVE_CARD)


if __name__ == "__main__":
    main(sys.argv[1])
