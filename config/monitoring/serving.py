"""Serve metrics from a process that serves nothing else, such as a worker's."""

import logging
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from django.conf import settings
from django.db import connection

from config.monitoring import metrics, middleware

logger = logging.getLogger(__name__)


class _Handler(BaseHTTPRequestHandler):
    timeout = 10  # seconds for which a connection may be idle

    def do_GET(self) -> None:
        """Answer whoever has the token."""
        if self.path != "/metrics":
            self._answer(404)
        elif not middleware.is_scraper(self.headers.get("Authorization", "")):
            self._answer(401)
        else:
            try:
                self._answer(200, metrics.exposition())
            finally:
                connection.close()  # of this thread

    def _answer(self, status: int, body: bytes = b"") -> None:
        self.send_response(status)
        self.send_header("Content-Type", metrics.CONTENT_TYPE)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        """Write nothing: it is asked every few seconds."""


def serve(port: int) -> ThreadingHTTPServer | None:
    """Serve metrics from a thread; a port that is taken is logged, and work goes on."""
    try:
        server = ThreadingHTTPServer((settings.HOST, port), _Handler)
    except OSError as error:
        logger.error("Metrics are not served: %s:%s: %s", settings.HOST, port, error.strerror)
        return None
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()
    return server
