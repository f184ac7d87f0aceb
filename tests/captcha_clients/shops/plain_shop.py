"""A shop without any framework: serves the page of a folder, and verifies what its form sends.

python plain_shop.py FOLDER SCRIPT recaptcha|hcaptcha|tessera
"""

import json
import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlencode
from urllib.request import urlopen

PAGE = Path(sys.argv[1], "page.html").read_text().replace("{{ site_key }}", os.environ["SITE_KEY"])
SCRIPT = Path(sys.argv[2])
VERIFY_URL, FIELD = {
    "recaptcha": ("https://captcha.example/recaptcha/api/siteverify", "g-recaptcha-response"),
    "hcaptcha": ("https://captcha.example/siteverify", "h-captcha-response"),
    "tessera": ("https://captcha.example/siteverify", "tessera-response"),
}[sys.argv[3]]


class Shop(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/page.js":
            self._answer(SCRIPT.read_text(), "text/javascript")
        else:
            self._answer(PAGE)

    def do_POST(self) -> None:
        form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        (response,) = form.get(FIELD, [""])
        self._answer("Thank you for your order." if verify(response) else "Refused")

    def _answer(self, text: str, kind: str = "text/html") -> None:
        body = text.encode()
        self.send_response(200)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def verify(response: str) -> bool:
    """Ask the CAPTCHA's server whether a visitor passed."""
    body = urlencode({"secret": os.environ["SECRET"], "response": response}).encode()
    with urlopen(VERIFY_URL, body) as answer:
        return bool(json.load(answer)["success"])


ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Shop).serve_forever()
