"""The front that speaks TLS for all names, by certificates of an authority of its own."""

import base64
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.captcha_clients.children import running, wait_for

SETTINGS = """
{{
    admin off
    auto_https disable_redirects
    local_certs
    skip_install_trust
    storage file_system {folder}
    log {{
        level ERROR
    }}
}}
{captcha} {{
    reverse_proxy 127.0.0.1:{captcha_port}
}}
{shop} {{
    respond /favicon.ico 204
    reverse_proxy 127.0.0.1:{shop_port}
}}
"""


@dataclass(frozen=True)
class Authority:
    """Who vouches for the certificates."""

    root: Path  # its certificate

    def trust(self) -> dict[str, str]:
        """Return what makes Python's, PHP's and Node's clients believe it."""
        return {"SSL_CERT_FILE": str(self.root), "NODE_EXTRA_CA_CERTS": str(self.root)}

    def pin(self) -> str:
        """Return the hash of the key that signs, by which Chromium knows it."""
        certificate = x509.load_pem_x509_certificate(
            self.root.with_name("intermediate.crt").read_bytes()
        )
        key = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return base64.b64encode(hashlib.sha256(key).digest()).decode()


@contextmanager
def serving(
    caddy: Path,
    folder: Path,
    *,
    captcha: list[str],
    captcha_port: int,
    shop: str,
    shop_port: int,
) -> Iterator[Authority]:
    """Pass on what is asked of the names of the CAPTCHA's server and of the shop."""
    settings = folder / "Caddyfile"
    settings.write_text(
        SETTINGS.format(
            folder=folder,
            captcha=", ".join(captcha),
            captcha_port=captcha_port,
            shop=shop,
            shop_port=shop_port,
        )
    )
    root = folder / "pki" / "authorities" / "local" / "root.crt"
    homes = {"HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    command = [str(caddy), "run", "--adapter", "caddyfile", "--config", str(settings)]
    with running(command, environment={**os.environ, **homes}, port=443):
        wait_for(root.exists, "the front has a certificate")
        yield Authority(root)
