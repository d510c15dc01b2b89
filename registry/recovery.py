"""The recovery key, shown once: to whoever made the registry's keys by their first command."""


def say_recovery_key(text: str | None) -> None:
    """Print the recovery key when keys were just made; None says nothing."""
    if text is None:
        return
    print(  # noqa: T201  the command's answer
        "The registry's keys were made. This is its recovery key; it is shown this once and kept nowhere. Write it down, and keep it\n"
        "where the registry is not: with it hosts go on trusting the registry when its keys are lost.\n\n"
        f"    {text}\n",
        flush=True,
    )
