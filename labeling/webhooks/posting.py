"""Post a body to an address elsewhere, whatever stands there."""

import contextlib
import http.client
import socket
import ssl
import threading
from collections.abc import Mapping

from labeling.webhooks import addresses

SECONDS = 10.0  # of one post, from its connection to the status of the answer


class PostError(Exception):
    """Nothing was answered; the message says why."""


def post(url: str, body: str, headers: Mapping[str, str]) -> int:
    """Return the status that is answered to a post. Raises AddressError, and PostError.

    Redirects are not followed, and no answer is read beyond its status. A receiver that sends
    a letter now and then is cut off after `SECONDS` like one that sends nothing.
    """
    parts = addresses.check(url)
    host, port = str(parts.hostname), parts.port or (443 if parts.scheme == "https" else 80)
    connection = _Pinned(host, port, addresses.resolve(host, port), tls=parts.scheme == "https")
    end = threading.Timer(SECONDS, connection.cut)
    end.daemon = True
    end.start()
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        connection.request("POST", target, body.encode(), dict(headers))
        return connection.getresponse().status
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = f"no answer within {SECONDS:g} seconds" if connection.is_cut else _reason(error)
        raise PostError(reason) from None
    finally:
        end.cancel()
        connection.close()


class _Pinned(http.client.HTTPConnection):
    """A connection to one IP address of a host; its certificate must be the host's."""

    def __init__(self, host: str, port: int, address: str, *, tls: bool) -> None:
        super().__init__(host, port, timeout=SECONDS)
        self._address = address
        self._tls = tls
        self._copy: socket.socket | None = None  # TLS takes over the socket itself
        self.is_cut = False

    def connect(self) -> None:
        self.sock = socket.create_connection((self._address, self.port), timeout=SECONDS)
        self._copy = self.sock.dup()
        if self.is_cut:
            raise TimeoutError
        if self._tls:
            context = ssl.create_default_context()
            self.sock = context.wrap_socket(self.sock, server_hostname=self.host)

    def cut(self) -> None:
        """End whatever is waited for, from another thread."""
        self.is_cut = True
        if self._copy is not None:
            with contextlib.suppress(OSError):
                self._copy.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        super().close()
        if self._copy is not None:
            self._copy.close()


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not valid: {error.verify_message}"
    if isinstance(error, TimeoutError):
        return f"no answer within {SECONDS:g} seconds"
    return (str(error) or type(error).__name__)[:250]
