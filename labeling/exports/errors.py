"""What keeps an export from being made."""


class ExportError(ValueError):
    """An export cannot be made; the message says why and what to do."""


class DiskFull(ExportError):
    """The disk has no place for it."""


class Busy(ExportError):
    """A worker is making it."""
