"""Count what happens, for whoever measures this process: nobody, until somebody connects."""

from collections.abc import Callable, Mapping

Sink = Callable[[str, Mapping[str, str]], None]

_sinks: list[Sink] = []


def connect(sink: Sink) -> None:
    """Have each event counted by `sink` as well, as its name and labels of few values."""
    if sink not in _sinks:
        _sinks.append(sink)


def count(event: str, **labels: str) -> None:
    """Count one event."""
    for sink in _sinks:
        sink(event, labels)
