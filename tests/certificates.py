"""A certificate and its key, as an owner of C2PA manifests has them: made for a test."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

USAGES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)
PEM = serialization.Encoding.PEM


def write(
    folder: Path, *, days: int = 30, password: bytes | None = None, other_key: bool = False
) -> tuple[Path, Path]:
    """Write the certificate of a test's authority for an owner, and the owner's key.

    days: until it expires. other_key: whether the key is not the certificate's.
    """
    authority, owner = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    root = _certificate(authority, "Authority", authority, days=days)
    leaf = _certificate(owner, "Owner", authority, days=days)
    certificate, key = folder / "owner.pem", folder / "owner.key"
    certificate.write_bytes(leaf.public_bytes(PEM) + root.public_bytes(PEM))
    shape = serialization.PrivateFormat.PKCS8
    encryption = (
        serialization.BestAvailableEncryption(password)
        if password
        else serialization.NoEncryption()
    )
    written = ec.generate_private_key(ec.SECP256R1()) if other_key else owner
    key.write_bytes(written.private_bytes(PEM, shape, encryption))
    return certificate, key


def _certificate(
    key: ec.EllipticCurvePrivateKey, name: str, issuer: ec.EllipticCurvePrivateKey, *, days: int
) -> x509.Certificate:
    is_root, now = key is issuer, datetime.now(UTC)
    used = {"key_cert_sign", "crl_sign"} if is_root else {"digital_signature"}
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .issuer_name(_name("Authority"))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=60))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.BasicConstraints(is_root, None), critical=True)
        .add_extension(x509.KeyUsage(**{each: each in used for each in USAGES}), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.public_key()),
            critical=False,
        )
    )
    if not is_root:
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION])
        builder = builder.add_extension(usage, critical=False)
    return builder.sign(issuer, hashes.SHA256())


def _name(common: str) -> x509.Name:
    parts = {
        NameOID.COUNTRY_NAME: "DE",
        NameOID.ORGANIZATION_NAME: "Test",
        NameOID.COMMON_NAME: common,
    }
    return x509.Name([x509.NameAttribute(key, value) for key, value in parts.items()])
