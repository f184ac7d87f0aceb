"""Sign what is sent, by standardwebhooks.com: HMAC-SHA256 over id, timestamp and body."""

import base64
import hashlib
import hmac
from collections.abc import Sequence

from labeling.models.webhooks import SECRET_PREFIX


def signature(secret: str, *, uid: str, timestamp: int, body: str) -> str:
    """Return a signature of the header webhook-signature. timestamp: seconds since 1970."""
    key = base64.b64decode(secret.removeprefix(SECRET_PREFIX))
    signed = f"{uid}.{timestamp}.{body}".encode()
    return "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()


def headers(secrets: Sequence[str], *, uid: str, timestamp: int, body: str) -> dict[str, str]:
    """Return the headers by which a receiver knows that it is us, now.

    There is a signature by each secret: while a secret is replaced, by the old and by the new one.
    """
    signatures = [signature(secret, uid=uid, timestamp=timestamp, body=body) for secret in secrets]
    return {
        "content-type": "application/json",
        "user-agent": "Tessera-Webhook/1",
        "webhook-id": uid,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(signatures),
    }
