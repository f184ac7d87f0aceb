"""Which of many paths of one name is nearest to another, by the folders in which they lie."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile

FEW = 8  # paths, which are compared one by one
DEPTH_MAX = 12  # folders of a path that count: half of them from either end


def nearness(path: str, other: str) -> int:
    """Return how many folders two paths have in common, from the first on and from the last."""
    one, two = _folders(path), _folders(other)
    first = sum(1 for _ in takewhile(_same, zip(one, two, strict=False)))
    last = sum(1 for _ in takewhile(_same, zip(one[::-1], two[::-1], strict=False)))
    return min(first + last, len(one), len(two))


@dataclass(frozen=True)
class Folders:
    """Paths of one name, each by all pairs of a beginning and an end of its folders."""

    paths: Sequence[str]
    by_pair: Mapping[tuple[str, str], list[str]]  # empty: there are few

    @classmethod
    def of(cls, paths: Iterable[str]) -> "Folders":
        """Return these paths, sorted."""
        several = sorted(paths)
        by_pair: dict[tuple[str, str], list[str]] = defaultdict(list)
        for path in several if len(several) > FEW else ():
            folders = _folders(path)
            for length in range(len(folders) + 1):
                for pair in _pairs(folders, length):
                    by_pair[pair].append(path)
        return cls(several, dict(by_pair))

    def nearest(self, path: str) -> list[str]:
        """Return those that have the most folders in common with a path; all, if it is none."""
        if not self.by_pair:
            several = {other: nearness(path, other) for other in self.paths}
            most = max(several.values(), default=0)
            return [other for other, each in several.items() if each == most]
        folders = _folders(path)
        for length in range(len(folders), 0, -1):
            found = [self.by_pair.get(pair, []) for pair in _pairs(folders, length)]
            if any(found):
                return list(dict.fromkeys(each for several in found for each in several))
        return list(self.paths)

    def nearness(self, path: str) -> int:
        """Return how many folders the nearest has in common with a path."""
        if not self.by_pair:
            return max((nearness(path, other) for other in self.paths), default=0)
        folders = _folders(path)
        lengths = range(len(folders), 0, -1)
        return next(
            (n for n in lengths if any(pair in self.by_pair for pair in _pairs(folders, n))), 0
        )


def _pairs(folders: Sequence[str], length: int) -> Iterator[tuple[str, str]]:
    """Yield each beginning with each end that have so many folders together."""
    for first in range(length + 1):
        last = len(folders) - (length - first)
        yield "/".join(folders[:first]), "/".join(folders[last:])


def _folders(path: str) -> list[str]:
    folders = path.split("/")[:-1]
    if len(folders) <= DEPTH_MAX:
        return folders
    return folders[: DEPTH_MAX // 2] + folders[-DEPTH_MAX // 2 :]


def _same(pair: tuple[str, str]) -> bool:
    return pair[0] == pair[1]
