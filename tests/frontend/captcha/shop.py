"""Another site: a page of its own origin, with a strict Content-Security-Policy."""

from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from playwright.sync_api import Page

HOST = "127.0.0.1"  # the live server's is localhost
PAGE = """<!doctype html><html lang="en"><head><title>Shop</title>
<meta name="viewport" content="width=device-width, initial-scale=1"></head>
<body><main><h1>Shop</h1>{body}</main></body></html>"""
POLICY = (
    "default-src 'none'; script-src {server} 'nonce-own'; frame-src {server};"
    " require-trusted-types-for 'script'"
)

Show = Callable[..., Page]


class Shop(ThreadingHTTPServer):
    """Serves one page, at any address."""

    daemon_threads = True
    html, policy = "", ""

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.server_port}/"


class Handler(BaseHTTPRequestHandler):
    server: Shop

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Security-Policy", self.server.policy)
        self.end_headers()
        self.wfile.write(self.server.html.encode())

    def log_message(self, *args: object) -> None:
        """Say nothing."""
