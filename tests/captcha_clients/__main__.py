"""Unmodified clients of reCAPTCHA and hCaptcha, against a real server: `make captcha-clients`.

    python -m tests.captcha_clients [CLIENT …] [--folder .data-captcha]

Gets the clients from their registries (pip, npm, apt-get) into a folder of its own. Then, in a
network of its own (`network`), where `captcha.example`, `shop.example` and the names that some
clients have as a constant lead to this machine: a server with a project of its own, a front that
speaks TLS by certificates of an authority of its own, and for each client a shop as a user of it
would write it. A visitor orders something there in a real Chromium, and selects the right tiles by
looking them up in the database. The response must be accepted once; another one not by whom has the
secret of another site.

Prints a table in Markdown. Exits with 1 where something failed, with 2 where a client was not run.
"""

import argparse
import ssl
import sys
import tempfile
from pathlib import Path

from config import servers
from tests.captcha_clients import front, installing, network, server, visitor
from tests.captcha_clients.clients import CLIENTS, Client
from tests.captcha_clients.installing import Installed
from tests.captcha_clients.proofs import HEADER, PORT, Bench, Result

FOLDER = Path(".data-captcha")


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("clients", nargs="*", metavar="CLIENT", help="only these")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where the clients are put")
    parser.add_argument("--in-own-network", action="store_true", help=argparse.SUPPRESS)
    wanted = parser.parse_args()
    folder = wanted.folder.absolute()
    chosen = [each for each in CLIENTS if not wanted.clients or each.package in wanted.clients]
    if unknown := set(wanted.clients) - {each.package for each in CLIENTS}:
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    if not wanted.in_own_network:
        try:
            installing.install(folder).check_front()
            network.enter(["-m", "tests.captcha_clients", "--in-own-network", *sys.argv[1:]])
        except (installing.Missing, network.NoNetwork) as error:
            print(f"Not run: {', '.join(each.package for each in chosen)}.\n{error}")
            return 2
    with tempfile.TemporaryDirectory(prefix="tessera-captcha-") as data_dir:
        results = _prove(chosen, Installed(folder), Path(data_dir))
    return _report(results)


def _prove(chosen: list[Client], installed: Installed, data_dir: Path) -> list[Result]:
    """Try the clients, one after the other."""
    network.prepare([*server.NAMES, server.SHOP], data_dir)
    server.configure(data_dir / "server")
    (data_dir / "front").mkdir()
    with servers.ensure(data_dir / "server"):
        key, secret, wrong_secret = server.make_sites()
        with (
            server.serving(),
            front.serving(
                installed.caddy,
                data_dir / "front",
                captcha=server.NAMES,
                captcha_port=server.PORT,
                shop=server.SHOP,
                shop_port=PORT,
            ) as authority,
            visitor.browser(authority.pin()) as browser,
        ):
            context = ssl.create_default_context(cafile=authority.root)
            captcha = server.Captcha(key, secret, wrong_secret, context)
            bench = Bench(installed, captcha, authority, browser, data_dir)
            print(HEADER, flush=True)
            return [_tell(bench.prove(client)) for client in chosen]


def _tell(result: Result) -> Result:
    """Print a client's row, and what went wrong."""
    print(result, flush=True)
    if result.failure:
        print(f"{result.client.package} failed:\n{result.failure}", file=sys.stderr, flush=True)
    return result


def _report(results: list[Result]) -> int:
    """Name what was not run; return the exit status."""
    missing = [result for result in results if result.missing]
    for result in missing:
        print(f"Not run: {result.client.package}, since {result.missing}.")
    if any(result.failure for result in results):
        return 1
    return 2 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
