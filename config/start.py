"""What web, worker and scheduler look at before they begin."""

import logging
import sys

from django.core.checks import CheckMessage, Error

from config.checks.broker import check_broker
from config.checks.database import check_database
from config.checks.processes import check_processes
from config.checks.replica import check_replica
from config.checks.settings import check_settings
from config.checks.storage import check_ownership, check_storage
from config.command import WRONG_SETTINGS

NOT_NOW = 1  # to start again may help, as once the database is migrated

logger = logging.getLogger(__name__)


def check(role: str) -> None:
    """End this process, with a sentence for each reason, if it cannot work; warn of doubts.

    `role` is web, worker or scheduler. What cannot be reached now is no reason: it may come back.
    """
    wrong = check_settings()
    by_settings = bool(_errors(wrong))
    if not by_settings:
        wrong += [*check_database(), *check_replica(), *check_broker()]
        wrong += [*check_storage(), *check_ownership(), *check_processes(role)]
    for message in wrong:
        if not message.is_serious():
            logger.warning("%s", message.msg)
    if errors := _errors(wrong):
        for message in errors:
            print(f"Error: {message.msg}", file=sys.stderr, flush=True)
        raise SystemExit(WRONG_SETTINGS if by_settings else NOT_NOW)


def _errors(messages: list[CheckMessage]) -> list[CheckMessage]:
    return [message for message in messages if message.level >= Error("").level]
