"""Content Credentials: a C2PA manifest in a picture's file, signed with its owner's certificate.

The manifest says what the mark says, and binds it to the bytes of the file. A signature is never
the same twice, so files that have one differ from each other, though their pixels do not.
"""

import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labeling.marks.mark import SYSTEM, Mark

if TYPE_CHECKING:
    from c2pa import Signer as Signature
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
    from cryptography.x509 import Certificate

CERTIFICATE, KEY = "C2PA_CERTIFICATE", "C2PA_KEY"  # the settings that name the files
ASSERTION = "tessera.generated"  # of the hashes
KINDS = {".png": "image/png", ".jpg": "image/jpeg", ".webp": "image/webp"}
CURVES = {"secp256r1": "es256", "secp384r1": "es384", "secp521r1": "es512"}
INSTALL = "pip install 'tessera-labeling[c2pa]'"

_SETTINGS = {"builder": {"thumbnail": {"enabled": False}}}  # it would double a small picture


class CredentialsError(ValueError):
    """No manifest can be signed; the message says why and what to do."""


@dataclass(frozen=True)
class Credentials:
    """A certificate with those that vouch for it, and its private key, as PEM."""

    certificates: bytes
    key: bytes
    algorithm: str  # as C2PA names it: es256, es384, es512, ps256 or ed25519

    def sign(self, data: bytes, mark: Mark, suffix: str) -> bytes:
        """Return a picture's file with a manifest in it. Raises CredentialsError.

        suffix: that of the file's name, of `KINDS`.
        """
        c2pa = _library()
        signed = io.BytesIO()
        try:
            with (
                c2pa.Context(settings=c2pa.Settings.from_dict(_SETTINGS)) as context,
                c2pa.Builder(json.dumps(_manifest(mark)), context) as builder,
                self._signature() as signature,
            ):
                builder.sign(signature, KINDS[suffix], io.BytesIO(data), signed)
        except c2pa.C2paError as error:
            raise CredentialsError(f"No C2PA manifest could be signed: {error}.") from None
        return signed.getvalue()

    def _signature(self) -> "Signature":
        c2pa = _library()
        info = c2pa.C2paSignerInfo(self.algorithm, self.certificates, self.key, None)
        return c2pa.Signer.from_info(info)


def load(certificate: str, key: str) -> Credentials | None:
    """Return the credentials of two files; None where neither is named.

    Raises CredentialsError where one is missing or wrong, they do not belong together, or the
    package c2pa-python is not installed.
    """
    if not certificate and not key:
        return None
    if not certificate or not key:
        raise CredentialsError(f"Set both {CERTIFICATE} and {KEY}, or neither.")
    files = _read(certificate, CERTIFICATE), _read(key, KEY)
    _library()
    return _checked(*files)


def _checked(certificates: bytes, key: bytes) -> Credentials:
    from cryptography.x509 import load_pem_x509_certificates

    try:
        chain = load_pem_x509_certificates(certificates)
    except ValueError:
        raise CredentialsError(
            f"{CERTIFICATE} names a file that is no certificate in PEM."
        ) from None
    private = _private_key(key)
    _check(chain[0], private)
    return Credentials(certificates, key, _algorithm(private))


def _read(path: str, setting: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        # The path is the owner's business: visitors of the studio read this sentence, too.
        sentence = f"{setting} names a file that cannot be read: {error.strerror}."
        raise CredentialsError(sentence) from None


def _private_key(data: bytes) -> "PrivateKeyTypes":
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        return load_pem_private_key(data, password=None)
    except TypeError:
        raise CredentialsError(f"The key that {KEY} names is encrypted: decrypt it.") from None
    except ValueError:
        raise CredentialsError(f"{KEY} names a file that is no private key in PEM.") from None


def _check(certificate: "Certificate", key: "PrivateKeyTypes") -> None:
    """Check what would only show when somebody reads the manifest. Raises CredentialsError."""
    from datetime import UTC, datetime

    if certificate.public_key() != key.public_key():
        raise CredentialsError(
            f"The key that {KEY} names is not that of the first certificate of {CERTIFICATE}."
        )
    if certificate.not_valid_after_utc < datetime.now(UTC):
        day = certificate.not_valid_after_utc.date()
        raise CredentialsError(f"The certificate of {CERTIFICATE} expired on {day}: renew it.")


def _algorithm(key: "PrivateKeyTypes") -> str:
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    if isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name in CURVES:
        return CURVES[key.curve.name]
    if isinstance(key, rsa.RSAPrivateKey):
        return "ps256"
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return "ed25519"
    raise CredentialsError("C2PA signs with keys of P-256, P-384, P-521, RSA or Ed25519 alone.")


def _manifest(mark: Mark) -> dict[str, Any]:
    """Return the manifest of a picture that was just drawn."""
    action = {"action": "c2pa.created", "digitalSourceType": mark.source_address}
    assertions = [{"label": "c2pa.actions.v2", "data": {"actions": [action]}}]
    names = ("model_sha256", "snapshot_sha256", "prompt_sha256")
    hashes = {name: value for name in names if (value := getattr(mark, name))}
    if hashes:
        assertions.append({"label": ASSERTION, "data": hashes})
    return {"claim_generator_info": [{"name": SYSTEM}], "assertions": assertions}


def _library() -> Any:
    """Import the package where it is needed: its library has 23 MB. Raises CredentialsError."""
    try:
        import c2pa
    except ImportError:
        raise CredentialsError(
            f"C2PA manifests need the package c2pa-python, which is not installed: {INSTALL}"
        ) from None
    return c2pa
