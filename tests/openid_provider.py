"""A small provider of OpenID Connect on this machine: real keys, codes that count once, PKCE."""

import base64
import hashlib
import json
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

CLIENT, SECRET = "tessera", "of-the-client"


@cache
def private_key(number: int = 0) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@dataclass
class Provider:
    """Says who everybody is: `claims`; `forge` may change a token's claims before it is signed."""

    issuer: str = ""
    claims: dict[str, Any] = field(default_factory=lambda: {"sub": "248289761001"})
    forge: Callable[[dict[str, Any]], dict[str, Any]] = lambda claims: claims
    sign: Callable[[dict[str, Any]], str] | None = None
    key: int = 0  # which one it signs by, and publishes
    asked: list[dict[str, str]] = field(default_factory=list)
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    userinfo: dict[str, Any] | None = None
    refuse: str = ""
    answer: Callable[[BaseHTTPRequestHandler], None] | None = None  # in place of its own

    def token(self, request: dict[str, str]) -> str:
        """Return the signed ID token of a request."""
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "aud": CLIENT,
            "iat": now,
            "exp": now + 300,
            "auth_time": now,
            "nonce": request.get("nonce", ""),
            **self.claims,
        }
        claims = self.forge(claims)
        if self.sign is not None:
            return self.sign(claims)
        return jwt.encode(
            claims, private_key(self.key), algorithm="RS256", headers={"kid": f"key-{self.key}"}
        )

    def keys(self) -> dict[str, Any]:
        public = jwt.algorithms.RSAAlgorithm.to_jwk(private_key(self.key).public_key(), True)
        return {"keys": [{**public, "kid": f"key-{self.key}", "use": "sig", "alg": "RS256"}]}


class _Handler(BaseHTTPRequestHandler):
    provider: Provider

    def do_GET(self) -> None:
        provider, parts = self.provider, urlsplit(self.path)
        if provider.answer is not None:
            provider.answer(self)
            return
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        match parts.path:
            case "/.well-known/openid-configuration":
                names = {"authorization": "authorize", "token": "token", "userinfo": "userinfo"}
                ends = {f"{name}_endpoint": f"{provider.issuer}/{at}" for name, at in names.items()}
                keys = {"jwks_uri": f"{provider.issuer}/keys"}
                self._send({"issuer": provider.issuer, **ends, **keys})
            case "/keys":
                self._send(provider.keys())
            case "/authorize":
                provider.asked.append(query)
                code = secrets.token_urlsafe(8)
                provider.codes[code] = query
                answer = {"error": provider.refuse} if provider.refuse else {"code": code}
                target = f"{query['redirect_uri']}?{urlencode({**answer, 'state': query['state']})}"
                self.send_response(302)
                self.send_header("Location", target)
                self.end_headers()
            case "/userinfo":
                self._send(provider.userinfo or {"sub": provider.claims["sub"]})

    def do_POST(self) -> None:
        if self.provider.answer is not None:
            self.provider.answer(self)
            return
        length = int(self.headers["Content-Length"])
        form = {name: v[0] for name, v in parse_qs(self.rfile.read(length).decode()).items()}
        request = self.provider.codes.pop(form.get("code", ""), None)
        verifier = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(verifier).decode().rstrip("=")
        known = form.get("client_id") == CLIENT and form.get("client_secret") == SECRET
        if request is None or not known or request.get("code_challenge") != challenge:
            self._send({"error": "invalid_grant"}, 400)
            return
        token = self.provider.token(request)
        self._send({"access_token": "of-access", "token_type": "Bearer", "id_token": token})

    def _send(self, content: Any, status: int = 200) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        pass


@pytest.fixture
def provider(settings: Any, fresh_cache: None) -> Iterator[Provider]:
    """A provider that runs, and is the one of the settings."""
    from labeling.accounts.openid import provider as labelling  # once the settings are read

    labelling._documents.clear()  # ports are given out again
    found = Provider()
    handler = type("Handler", (_Handler,), {"provider": found})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    found.issuer = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    settings.OIDC_ISSUER, settings.OIDC_NAME = found.issuer, "Example ID"
    settings.OIDC_CLIENT_ID, settings.OIDC_CLIENT_SECRET = CLIENT, SECRET
    yield found
    server.shutdown()
    server.server_close()
