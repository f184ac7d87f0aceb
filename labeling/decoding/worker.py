"""A process that prepares pictures: `python -m labeling.decoding.worker BYTES_MAX PIXELS_MAX BITS`.

Reads pickled lists of files from its standard input until that ends, and answers each on its
standard output with a pickled list of `Picture` and `ImageRejected`. The first thing that it
writes is `READY`. A picture that keeps it busy for `PICTURE_SECONDS` ends it.
"""

import os
import pickle
import signal
import sys

from labeling.decoding.pictures import ImageRejected, Picture, prepare

READY = "ready"
PICTURE_SECONDS = 60.0  # of the processor; 40 megapixels of noise, losslessly, take four


def main(arguments: list[str]) -> None:
    """Prepare pictures until the standard input ends."""
    bytes_max, pixels_max, bits = map(int, arguments)
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
        results = [_prepare(data, bytes_max, pixels_max, bits) for data in files]


def _prepare(data: bytes, bytes_max: int, pixels_max: int, bits: int) -> Picture | ImageRejected:
    # A small file may ask for hours of work: a JPEG of 100,000 scans. No decoder can be interrupted
    # from Python, so the signal is left to end the process.
    signal.setitimer(signal.ITIMER_PROF, PICTURE_SECONDS)
    try:
        return prepare(data, bytes_max=bytes_max, pixels_max=pixels_max, bits=bits)
    except ImageRejected as error:
        return error
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


if __name__ == "__main__":
    main(sys.argv[1:])
