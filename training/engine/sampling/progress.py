"""How a sampler reports its progress."""

from collections.abc import Callable

OnProgress = Callable[[float], None]  # called with the share done, 0 to 1; may raise to cancel
