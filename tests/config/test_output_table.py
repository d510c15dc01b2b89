"""Outputs' tables: each kind's keys, and every fault with its line, what was found and what is expected."""

import pytest

from config.finding import ConfigError, Finding
from config.host import OutputConfig, parse

HEAD = (
    '[host]\nname = "trial"\ntimezone = "Europe/Tallinn"\nstate_dir = "/var/lib/viipe"\n[[output]]\nname = "strike"\n'
)
GPIO = 'kind = "gpio"\nchip = "/dev/gpiochip0"\nline = 17'
RELAY = 'kind = "serial-relay"\nport = "/dev/ttyUSB0"\nprotocol = "a0"'
COMMAND = 'kind = "command"\nargv = ["/usr/bin/true", "a b"]'


def output(words: str) -> OutputConfig:
    """Return the output of a good file."""
    (found,) = parse(HEAD + words).outputs
    return found


def faults(words: str) -> tuple[Finding, ...]:
    """Return what is wrong with an output's table."""
    with pytest.raises(ConfigError) as caught:
        parse(HEAD + words)
    return caught.value.findings


def test_a_gpio_output_is_a_line_of_a_chip() -> None:
    """The line is a number or a name, and may be active at the low level."""
    found = output(GPIO + "\nactive_low = true\npulse_s = 2\nmax_pulse_s = 4")
    assert (found.chip, found.line, found.active_low) == ("/dev/gpiochip0", 17, True)
    assert (found.pulse_s, found.max_pulse_s) == (2, 4)
    assert output(GPIO.replace("17", '"GPIO17"')).line == "GPIO17"


def test_a_relay_is_a_channel_of_a_board() -> None:
    """Port, protocol, channel and speed; the first channel at 9600 baud is meant where nothing is said."""
    found = output(RELAY)
    assert (found.port, found.protocol, found.channel, found.baud) == ("/dev/ttyUSB0", "a0", 1, 9600)
    assert output(RELAY.replace("a0", "at") + "\nchannel = 16\nbaud = 115200").channel == 16


def test_a_command_is_a_list() -> None:
    """A program and its arguments, as they are handed over."""
    found = output(COMMAND + "\ndeadline_s = 1.5")
    assert (found.argv, found.deadline_s) == (("/usr/bin/true", "a b"), 1.5)


@pytest.mark.parametrize(
    ("words", "line", "key", "found"),
    [
        ('kind = "gpio"', 5, "chip", "nothing"),
        (GPIO.replace("17", "-1"), 9, "line", "-1"),
        (GPIO.replace("17", '""'), 9, "line", '""'),
        (GPIO.replace("/dev/gpiochip0", "gpiochip0"), 8, "chip", '"gpiochip0"'),
        (GPIO + "\npulse_s = 16", 10, "pulse_s", "16"),
        (GPIO + '\nargv = ["/x"]', 10, "argv", "an unknown key"),
        ('kind = "serial-relay"\nprotocol = "a0"', 5, "port", "nothing"),
        (RELAY.replace("a0", "modbus"), 9, "protocol", '"modbus"'),
        (RELAY + "\nchannel = 0", 10, "channel", "0"),
        (RELAY + "\nchannel = 17", 10, "channel", "17"),
        ('kind = "command"', 5, "argv", "nothing"),
        ('kind = "command"\nargv = "reboot"', 8, "argv", '"reboot"'),
        ('kind = "command"\nargv = ["true"]', 8, "argv", "a list of 1"),
        ('kind = "command"\nargv = []', 8, "argv", "an empty list"),
        (COMMAND + "\ndeadline_s = 0", 9, "deadline_s", "0"),
    ],
)
def test_each_fault_is_told_with_its_line(words: str, line: int, key: str, found: str) -> None:
    """One slip is told at its key, with what was found."""
    first = next(each for each in faults(words) if each.key == f"output[1].{key}")
    assert (first.line, first.found) == (line, found)
    assert first.expected


def test_a_board_serves_an_output_a_channel() -> None:
    """Several outputs of one port, each with its channel."""
    found = parse(HEAD + RELAY + '\n[[output]]\nname = "other"\n' + RELAY + "\nchannel = 2").outputs
    assert [(each.port, each.channel) for each in found] == [("/dev/ttyUSB0", 1), ("/dev/ttyUSB0", 2)]


@pytest.mark.parametrize("more", ["\nbaud = 115200", ""])
def test_a_board_is_spoken_to_in_one_way(more: str) -> None:
    """Two protocols, or two speeds, on one line are a fault."""
    words = RELAY if more else RELAY.replace("a0", "at")
    (fault,) = faults(RELAY + '\n[[output]]\nname = "other"\n' + words + "\nchannel = 2" + more)
    assert (fault.key, fault.expected) == (
        "output[2].protocol",
        "a0 at 9600 baud, as another output of /dev/ttyUSB0 says",
    )


@pytest.mark.parametrize(("words", "key"), [(GPIO, "line"), (RELAY, "channel")])
def test_two_outputs_share_no_device(words: str, key: str) -> None:
    """A line and a channel are held by one guardian alone."""
    (fault,) = faults(words + '\n[[output]]\nname = "other"\n' + words)
    assert (fault.key, fault.expected) == (f"output[2].{key}", "another one: another output has it already")
