"""What hosts tell: taken in order and exactly once, folded into the registry's state, kept as long as the school says."""

from registry.events.progress import watermark

__all__ = ["watermark"]
