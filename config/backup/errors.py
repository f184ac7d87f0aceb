"""Why a backup cannot be made or restored."""


class BackupError(Exception):
    """The message says what to do."""
