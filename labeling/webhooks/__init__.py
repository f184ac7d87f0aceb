"""Tell addresses elsewhere what happens in a project, as standardwebhooks.com writes it.

`emit` writes an event down in the transaction of what happened; `sending` delivers it from a
worker, signed, and again until it is taken. Labels and annotators are looked for once in a while
(`watching`), so that no answer waits for anybody's webhook.
"""

from labeling.webhooks.addresses import AddressError
from labeling.webhooks.events import emit
from labeling.webhooks.hooks import (
    HookError,
    change,
    create,
    delete,
    ping,
    replace_secret,
    resend,
)

__all__ = [
    "AddressError",
    "HookError",
    "change",
    "create",
    "delete",
    "emit",
    "ping",
    "replace_secret",
    "resend",
]
