"""A process that prepares pictures: `python -m labeling.decoding.worker BYTES_MAX PIXELS_MAX`.

Reads pickled lists of files from its standard input until that ends, and answers each on its
standard output with a pickled list of `Picture` and `ImageRejected`. The first thing that it
writes is `READY`.
"""

import os
import pickle
import sys

from labeling.decoding.pictures import ImageRejected, Picture, prepare

READY = "ready"


def main(arguments: list[str]) -> None:
    """Prepare pictures until the standard input ends."""
    bytes_max, pixels_max = map(int, arguments)
    requests = sys.stdin.buffer
    replies = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what a codec prints is no reply
    results: object = READY
    while True:
        pickle.dump(results, replies, pickle.HIGHEST_PROTOCOL)
        replies.flush()
        try:
            files: list[bytes] = pickle.load(requests)
        except EOFError:
            return
        results = [_prepare(data, bytes_max, pixels_max) for data in files]


def _prepare(data: bytes, bytes_max: int, pixels_max: int) -> Picture | ImageRejected:
    try:
        return prepare(data, bytes_max=bytes_max, pixels_max=pixels_max)
    except ImageRejected as error:
        return error


if __name__ == "__main__":
    main(sys.argv[1:])
