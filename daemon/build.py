"""The composition root: the one place that knows which part is made of what."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from config.host import HostConfig, OutputConfig, ReaderConfig
from config.reader_table import desks_of
from daemon.tap_way import Settings
from outputs.output import Output
from outputs.worker import OutputWorker
from policy.rule import Rule
from readers.reader import Reader

if TYPE_CHECKING:
    from outputs.pcsc_feedback import PcscFeedback
    from readers.serial_port import SerialLine

EM4100_REPEATS_MS: Final = (
    200  # an RDM6300 writes every 65 ms while a card lies there; one that writes once loses nothing by it
)


def reader(config: ReaderConfig) -> Reader:
    """Make the reader that the host's file names. A library is imported only where it is used."""
    match config.kind:
        case "nfc":
            from readers.nfc import NfcReader  # noqa: PLC0415  see above
            from readers.nfc_device import parse_device  # noqa: PLC0415  as above

            device = parse_device(config.device or "")
            return NfcReader(device, absent_ms=config.absent_ms, tap_on_start=config.tap_on_start)
        case "serial":
            return _serial(config)
        case _:
            from readers.pcsc import PcscChoice, PcscReader  # noqa: PLC0415  as above

            choice = PcscChoice(match=config.match, usb_port=config.usb_port)
            return PcscReader(choice, absent_ms=config.absent_ms, tap_on_start=config.tap_on_start)


def serial_line(config: ReaderConfig) -> "SerialLine":
    """Lay out the line of a serial reader."""
    from readers.device_path import checked  # noqa: PLC0415  see `reader`
    from readers.serial_port import SerialLine  # noqa: PLC0415  as above

    return SerialLine(checked(config.port or ""), config.baud)


def _serial(config: ReaderConfig) -> Reader:
    from readers.serial_frames import Em4100Frames, LineFormat, Lines, Notation  # noqa: PLC0415  see `reader`
    from readers.serial_port import SerialReader  # noqa: PLC0415  as above

    is_line = config.format == "line"
    form = LineFormat(Notation(config.notation or Notation.HEX), config.prefix, config.suffix, config.length)
    repeats_ms = config.repeats_ms if config.repeats_ms is not None else 0 if is_line else EM4100_REPEATS_MS
    return SerialReader(
        serial_line(config),
        (lambda: Lines(form)) if is_line else Em4100Frames,
        repeats_ms=repeats_ms,
        absent_ms=config.absent_ms,
        tap_on_start=config.tap_on_start,
    )


def lamps(config: ReaderConfig) -> "PcscFeedback | None":
    """Make the lamps and buzzer of a PC/SC reader; None where the host's file names none."""
    if config.lamps is None:
        return None
    from outputs.pcsc_feedback import ACR122U, Lamps, PcscFeedback, Way  # noqa: PLC0415  see `reader`
    from readers.pcsc import PcscChoice, choose  # noqa: PLC0415  as above
    from readers.pcsc_context import PcscContext  # noqa: PLC0415  as above
    from readers.reader import ReaderFault  # noqa: PLC0415  as above

    given = config.lamps
    commands = ACR122U if isinstance(given, str) else Lamps(given.granted, given.refused, Way(given.way))
    choice = PcscChoice(match=config.match, usb_port=config.usb_port)

    def chosen(names: Sequence[str]) -> str | None:
        try:
            with PcscContext() as context:
                return choose(context, choice, list(names))
        except ReaderFault:
            return None

    return PcscFeedback(commands, chosen)


def output(config: OutputConfig) -> Output:
    """Make the output that the host's file names. Raises OutputFault when its device cannot be had."""
    match config.kind:
        case "gpio":
            from outputs.guarded import Guarded  # noqa: PLC0415  see `reader`
            from outputs.switch import GpioSpec  # noqa: PLC0415  as above

            gpio = GpioSpec(config.chip or "", 0 if config.line is None else config.line, config.active_low)
            return Guarded(gpio, max_pulse_s=config.max_pulse_s)
        case "serial-relay":
            from outputs.guarded import Guarded  # noqa: PLC0415  as above
            from outputs.switch import RelaySpec  # noqa: PLC0415  as above

            relay = RelaySpec(config.port or "", config.protocol or "", config.channel, config.baud)
            return Guarded(relay, max_pulse_s=config.max_pulse_s)
        case "command":
            from outputs.command import RunCommand  # noqa: PLC0415  as above

            return RunCommand(config.argv, deadline_s=config.deadline_s)
        case _:
            assert config.path is not None, "a record has a path"  # noqa: S101  config checked it
            from outputs.record import Record  # noqa: PLC0415  as above

            return Record(config.path)


def rules(config: HostConfig) -> Mapping[str, Rule]:
    """Return the rule of each service. One that only the registry knows admits nobody until the registry has spoken."""
    unheard = {each.service: Rule(each.service, kinds=frozenset()) for each in config.readers}
    return {**unheard, **config.services}


def settings(
    config: HostConfig, workers: Mapping[str, OutputWorker], shown: Mapping[str, Callable[[bool], object]] | None = None
) -> Settings:
    """Lay out what a tap needs of the host's file; `workers` are its outputs at work by name, `shown` its readers' lamps."""
    return Settings(
        zone=config.host.timezone,
        calendar=config.calendar,
        rules=rules(config),
        outputs=workers,
        pulses_s={each.name: each.pulse_s for each in config.outputs},
        lamps=shown or {},
        desks=desks_of(config.readers),
    )
