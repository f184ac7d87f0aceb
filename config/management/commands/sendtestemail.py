from typing import Any

from django.conf import settings
from django.core.management.base import CommandError
from django.core.management.commands import sendtestemail


class Command(sendtestemail.Command):
    """Django's, which says in a sentence why no message was sent."""

    def handle(self, *args: Any, **options: Any) -> None:
        """Send it."""
        if not settings.EMAIL_HOST:
            raise CommandError("EMAIL_HOST is not set: no mail is sent here.")
        server = f"{settings.EMAIL_HOST}:{settings.EMAIL_PORT}"
        try:
            super().handle(*args, **options)
        except (OSError, ValueError) as error:  # smtplib's are OSErrors
            raise CommandError(
                f"{server} did not take the message ({type(error).__name__}: {error}). Check "
                "EMAIL_HOST, EMAIL_PORT, EMAIL_USE_TLS or EMAIL_USE_SSL, EMAIL_HOST_USER and "
                "EMAIL_HOST_PASSWORD."
            ) from error
        self.stdout.write(f"{server} took the message. Look whether it arrives.")
