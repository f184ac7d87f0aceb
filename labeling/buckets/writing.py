"""Write files into a bucket whole: in parts where they are large, kept where they have come."""

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from labeling.buckets.client import Bucket, Object, Part

PART = 16 * 2**20  # bytes of a part, and of what is written at once
PARTS_MAX = 10_000  # of an object, by the protocol

OnPiece = Callable[[int], None]  # is given the bytes of each part that has come


def put_file(bucket: Bucket, key: str, path: Path, on_piece: OnPiece) -> str:
    """Write a file; return its ETag. Parts of an earlier attempt are kept. Raises BucketError."""
    size = path.stat().st_size
    with path.open("rb") as file:
        if size <= PART:
            etag = bucket.put(key, file.read())
            on_piece(size)
            return etag
        return _put_parts(bucket, key, file, _part_size(size), on_piece)


def is_same(listed: Object, path: Path) -> bool:
    """Whether an object is a file byte for byte, as far as its ETag is the hash of its content."""
    size = path.stat().st_size
    return listed.size == size and listed.etag.strip('"') in (_md5(path), _md5_of_parts(path))


def sha256(bucket: Bucket, key: str) -> str:
    """Read an object again; return the SHA-256 of what is there. Raises BucketError."""
    digest = hashlib.sha256()
    for piece in bucket.read(key):
        digest.update(piece)
    return digest.hexdigest()


def _put_parts(bucket: Bucket, key: str, file: IO[bytes], size: int, on_piece: OnPiece) -> str:
    upload = bucket.unfinished(key)
    there = bucket.parts(key, upload) if upload else {}
    upload = upload or bucket.begin(key)
    parts: list[Part] = []
    for number, data in enumerate(_pieces(file, size), start=1):
        part = there.get(number)
        if part is None or part.size != len(data) or part.etag.strip('"') != _hash(data):
            part = bucket.put_part(key, upload, number, data)
        parts.append(part)
        on_piece(len(data))
    return bucket.complete(key, upload, parts)


def _part_size(size: int) -> int:
    return max(PART, -(-size // PARTS_MAX))


def _pieces(file: IO[bytes], size: int) -> Iterator[bytes]:
    while data := file.read(size):
        yield data


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, _new_md5).hexdigest()


def _md5_of_parts(path: Path) -> str:
    """Return the ETag of a file that was written in parts, where ETags are hashes."""
    size = path.stat().st_size
    with path.open("rb") as file:
        digests = [_new_md5(data).digest() for data in _pieces(file, _part_size(size))]
    return f"{_new_md5(b''.join(digests)).hexdigest()}-{len(digests)}"


def _hash(data: bytes) -> str:
    return _new_md5(data).hexdigest()


def _new_md5(data: bytes = b"") -> "hashlib._Hash":
    return hashlib.md5(data, usedforsecurity=False)
