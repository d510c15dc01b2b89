"""The recovery key, shown once: to whoever made the registry's keys by their first command."""

from typing import TextIO


def say_recovery_key(text: str | None, to: TextIO | None = None) -> None:
    """Print the recovery key when keys were just made; None says nothing. `to` is standard output unless that has an answer of its own."""
    if text is None:
        return
    print(
        "The registry's keys were made. This is its recovery key; it is shown this once and kept nowhere. Write it down, and keep it\n"
        "where the registry is not: with it hosts go on trusting the registry when its keys are lost.\n\n"
        f"    {text}\n",
        file=to,
        flush=True,
    )
