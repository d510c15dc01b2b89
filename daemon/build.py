"""The composition root: the one place that knows which part is made of what."""

from collections.abc import Mapping

from config.host import HostConfig, OutputConfig, ReaderConfig
from daemon.tap_way import Settings
from outputs.output import Output
from outputs.record import Record
from outputs.worker import OutputWorker
from policy.rule import Rule
from readers.pcsc import PcscChoice, PcscReader
from readers.reader import Reader


def reader(config: ReaderConfig) -> Reader:
    """Make the reader that the host's file names."""
    choice = PcscChoice(match=config.match, usb_port=config.usb_port)
    return PcscReader(choice, absent_ms=config.absent_ms, tap_on_start=config.tap_on_start)


def output(config: OutputConfig) -> Output:
    """Make the output that the host's file names. Raises OutputFault when its device cannot be had."""
    return Record(config.path)


def rules(config: HostConfig) -> Mapping[str, Rule]:
    """Return the rule of each service. One that only the registry knows admits nobody until the registry has spoken."""
    unheard = {each.service: Rule(each.service, kinds=frozenset()) for each in config.readers}
    return {**unheard, **config.services}


def settings(config: HostConfig, workers: Mapping[str, OutputWorker]) -> Settings:
    """Lay out what a tap needs of the host's file; `workers` are its outputs at work, by name."""
    return Settings(
        zone=config.host.timezone,
        calendar=config.calendar,
        rules=rules(config),
        outputs=workers,
        pulses_s={each.name: each.pulse_s for each in config.outputs},
    )
