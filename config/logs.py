"""How lines of the log look, and what nobody who reads them should know or be misled by."""

import json
import logging
import re
from datetime import UTC, datetime

from config.monitoring import ids

# Addresses that end in what lets somebody in: invitations, links of mail, links to sign in.
_SECRET = re.compile(
    r"(/(?:invitations|account/email|sign-in/link|password-reset/[^/\s?]+)/)[^/\s?\"']{8,}"
)
# What PostgreSQL adds to an error: the values of a row, as an address or a name.
_VALUES = re.compile(r"\b(DETAIL|CONTEXT):.*")
# What ends or rewrites a line, in a terminal or a viewer: control characters, separators of lines,
# and marks that turn the direction of the text.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def hide_tokens(text: str) -> str:
    """Return a text without the tokens in its addresses: whoever has one may use it."""
    return _SECRET.sub(r"\1…", text)


def hide_values(text: str) -> str:
    """Return the text of an error for others: without tokens, and without values of rows."""
    return _VALUES.sub(r"\1: …", hide_tokens(text))


class HideTokens(logging.Filter):
    """Replace tokens in a message, for whatever handler writes it."""

    def filter(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        hidden = hide_tokens(message)
        if hidden != message:
            record.msg, record.args = hidden, ()
        return True


class LineFormatter(logging.Formatter):
    """A line a record, for people; what is handed in cannot begin another one.

    A traceback follows indented, so that none of its lines looks like a record.
    """

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's
        """Return the line without a traceback."""
        record.message = _escape(record.message)
        line = super().formatMessage(record)
        known = [name for name in (_request(), _task()) if name]
        return f"{line} [{' '.join(known)}]" if known else line

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as text."""
        first, *rest = hide_tokens(super().format(record)).split("\n")
        return "\n".join([first, *(f"    {_escape(line)}" for line in rest)])


class JSONFormatter(logging.Formatter):
    """A JSON object a line, for programs."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one line."""
        entry: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            "process": record.process,
        }
        for name, value in (("request_id", ids.request_id), ("task_id", ids.task_id)):
            if current := value.get():
                entry[name] = current
        if record.exc_info:
            entry["exception"] = hide_tokens(self.formatException(record.exc_info))
        if record.stack_info:
            entry["stack"] = self.formatStack(record.stack_info)
        return json.dumps(entry, default=str)  # in ASCII: nothing in it ends the line


def configuration(*, format: str, level: str, mailed: bool = False) -> dict[str, object]:
    """Return Django's `LOGGING`: `line` or `json`, from this level on; errors are mailed, too."""
    formatters = {
        "line": {
            "()": f"{__name__}.LineFormatter",
            "format": "{asctime} {levelname} {name}: {message}",
            "style": "{",
        },
        "json": {"()": f"{__name__}.JSONFormatter"},
    }
    mail = {"mail": {"class": "config.monitoring.mailing.AdminMailHandler"}} if mailed else {}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": formatters,
        "filters": {"tokens": {"()": HideTokens}},
        "handlers": {
            "console": {
                "class": "logging.StreamHandler",
                "formatter": format,
                "filters": ["tokens"],
            },
            **mail,
        },
        "loggers": {
            "botocore": {"level": "WARNING"},  # it says where credentials come from
            "django": {"handlers": [], "level": "NOTSET", "propagate": True},  # not a second time
        },
        "root": {"handlers": ["console", *mail], "level": level},
    }


def _request() -> str:
    return f"request {current}" if (current := ids.request_id.get()) else ""


def _task() -> str:
    return f"task {current}" if (current := ids.task_id.get()) else ""


def _escape(text: str) -> str:
    """Write control characters as Python would."""
    return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), text)
