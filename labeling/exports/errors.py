"""What keeps an export from being made."""


class ExportError(ValueError):
    """An export cannot be made; the message says why and what to do."""
