"""What is said of each picture of a source, by its path: packed, as there may be a million."""

from collections import Counter
from collections.abc import Iterator, MutableMapping
from typing import Any

from labeling.imports.metadata import Metadata

LISTS = "captions", "keywords", "problems"
OTHERS = "of_captions", "of_keywords", "boxes", "gold", "read", "refused"

Packed = tuple[Any, ...]


class Described(MutableMapping[str, Metadata]):
    """Pictures' metadata by path; what is changed of one that was looked up, has to be set again.

    A Metadata takes a kilobyte with its lists and counts, most of which are empty; packed, a third.
    """

    def __init__(self) -> None:
        self._packed: dict[str, Packed] = {}
        self._counts: dict[Packed, Packed] = {}  # each kept once, as they are few
        self._open: tuple[str, Metadata] | None = None  # the one that is being added to

    def open(self, path: str) -> Metadata:
        """Return the metadata of a picture to be added to; it is kept as it is then."""
        if self._open is None or self._open[0] != path:
            self._close()
            metadata = self._unpack(self._packed[path]) if path in self._packed else Metadata()
            self._packed.setdefault(path, ())
            self._open = path, metadata
        return self._open[1]

    def __getitem__(self, path: str) -> Metadata:
        self._close()
        return self._unpack(self._packed[path])

    def __setitem__(self, path: str, metadata: Metadata) -> None:
        self._close()
        self._packed[path] = self._pack(metadata)

    def __delitem__(self, path: str) -> None:
        self._close()
        del self._packed[path]

    def __contains__(self, path: object) -> bool:
        return path in self._packed

    def __iter__(self) -> Iterator[str]:
        return iter(self._packed)

    def __len__(self) -> int:
        return len(self._packed)

    def _close(self) -> None:
        if self._open is not None:
            path, metadata = self._open
            self._packed[path], self._open = self._pack(metadata), None

    def _pack(self, metadata: Metadata) -> Packed:
        lists = (tuple(getattr(metadata, name)) for name in LISTS)
        others = (self._of_mapping(getattr(metadata, name)) for name in OTHERS)
        return (metadata.provenance, metadata.license, metadata.is_pair, *lists, *others)

    def _of_mapping(self, mapping: dict[Any, Any]) -> Packed:
        items = tuple(mapping.items())
        return self._counts.setdefault(items, items) if isinstance(mapping, Counter) else items

    def _unpack(self, packed: Packed) -> Metadata:
        metadata = Metadata(provenance=packed[0], license=packed[1], is_pair=packed[2])
        for name, values in zip((*LISTS, *OTHERS), packed[3:], strict=True):
            if values:
                held = getattr(metadata, name)
                held.extend(values) if name in LISTS else held.update(dict(values))
        return metadata
