"""How the provider is asked: for so much, for so long, and nobody else in its place."""

import time
from typing import Any

import requests
from requests.exceptions import ConnectionError, ReadTimeout
from urllib3.exceptions import HTTPError

LARGEST = 1024 * 1024  # bytes of an answer
SILENT = 5.0  # seconds for which it may say nothing
LONGEST = 10.0  # seconds for all of an answer, however it trickles in
BLOCK = 64 * 1024


class Session(requests.Session):
    """Requests whose answers are read whole, within limits; no answer leads elsewhere."""

    def request(self, *arguments: Any, **options: Any) -> requests.Response:
        """Send a request. Raises RequestException."""
        options |= {"allow_redirects": False, "stream": True, "timeout": SILENT}
        deadline = time.monotonic() + LONGEST
        response = super().request(*arguments, **options)
        try:
            response._content = _read(response, deadline)
        finally:
            response.close()
        return response


def _read(response: requests.Response, deadline: float) -> bytes:
    data = b""
    try:
        while block := response.raw.read1(BLOCK, decode_content=True):
            data += block
            if len(data) > LARGEST:
                raise ConnectionError(f"It answers with more than {LARGEST:,} bytes.")
            if time.monotonic() > deadline:
                raise ReadTimeout(f"Its answer takes longer than {LONGEST:g} seconds.")
    except HTTPError as error:
        raise ConnectionError(str(error)) from error
    return data
