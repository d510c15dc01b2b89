"""An event that ends a worker where it would wait: all that can be done now has been done."""

import threading


class Pause(threading.Event):
    """Stands in for what a worker of the link looks at to end, and for what it waits on."""

    def wait(self, timeout: float | None = None) -> bool:  # noqa: ARG002  no time passes
        """End the worker."""
        self.set()
        return True
