"""What the widget's script says, in the language of the page."""


def strings() -> dict[str, str]:
    """Return its sentences by name."""
    return {}
