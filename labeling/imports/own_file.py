"""What keeps something in a file of its own, which is closed at the end of a `with`."""

from types import TracebackType
from typing import IO, Any, Self


class OwnFile:
    """Closes the file that it was made with."""

    def __init__(self, file: IO[Any]) -> None:
        self._file = file

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._file.close()
