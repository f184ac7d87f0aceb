"""The web processes alone, for production: behind a proxy, or on this machine."""

import ipaddress
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from config import services
from config.management import listening, running
from config.management.options import add_number

GRACE = 30.0  # seconds for requests that have begun


class Command(BaseCommand):
    help = "Serve the site: production's web processes, which share a port."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default=settings.HOST, help="address (HOST: %(default)s)")
        add_number(
            parser, "--port", default=settings.PORT, most=65535, help="port, in place of PORT"
        )
        add_number(
            parser,
            "--processes",
            default=services.WEB_PROCESSES,
            help="web processes, one for each core that they may have",
        )
        add_number(
            parser,
            "--threads",
            default=services.WEB_THREADS,
            help="requests that each process answers at once",
        )
        parser.add_argument(
            "--site",
            metavar="ADDRESS",
            help="the site's address, such as https://labels.example.org, where one proxy in front"
            " speaks HTTPS: in place of HTTPS=1, PROXIES=1 and ALLOWED_HOSTS",
        )

    def handle(
        self,
        *args: Any,
        host: str,
        port: int,
        processes: int,
        threads: int,
        site: str | None,
        **options: Any,
    ) -> None:
        _refuse_debug(host, site)
        environment = _behind_a_proxy(site) if site else {}
        settings.STATIC_ROOT.mkdir(exist_ok=True)  # WhiteNoise warns without it
        with listening.on(host, port) as listener:
            running.run(
                services.web(listener, processes, threads=threads, environment=environment),
                role="web",
                grace=GRACE,
                ready=f"Serving at {site or listening.url(*listener.getsockname()[:2])}",
                write=self.stdout.write,
            )


def _refuse_debug(host: str, site: str | None) -> None:
    """Raise `CommandError` where Django's debug pages would be public."""
    if settings.DEBUG and (site or not _is_loopback(host)):
        raise CommandError(
            "DEBUG shows settings and code to everybody: unset it, or serve on 127.0.0.1 alone."
        )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _behind_a_proxy(site: str) -> dict[str, str]:
    """Return the settings of a site behind one proxy that speaks HTTPS. Raises `CommandError`."""
    try:
        parts = urlsplit(site)
        name = parts.hostname
    except ValueError:
        name = None
    if not name or parts.scheme != "https" or parts.path.strip("/") or parts.query:
        raise CommandError(f"--site must be like https://labels.example.org, not {site!r}.")
    return {"HTTPS": "1", "PROXIES": "1", "ALLOWED_HOSTS": name}
