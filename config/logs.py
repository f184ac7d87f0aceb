"""Keep out of the log what nobody who reads it should know."""

import logging
import re

_INVITATION = re.compile(r"(/invitations/)[^/\s?]+")


class HideTokens(logging.Filter):
    """Replace the tokens of invitations in addresses: whoever has one may join a project."""

    def filter(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        if "/invitations/" in message:
            record.msg, record.args = _INVITATION.sub(r"\1…", message), ()
        return True
