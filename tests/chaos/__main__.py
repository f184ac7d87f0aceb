"""Kill each part of an installation on many machines once, and see that nothing is lost.

    python -m tests.chaos [SCENARIO …] [--delay 0.025] [--loss 0.01] [--people 8]

Real parts on machines of their own, which are network namespaces: two web processes, two workers,
a scheduler, PgBouncer, PostgreSQL with a standby, Valkey, a server that speaks S3 and a TLS front.
Meanwhile people answer, runs train and exports are written. Prints a table in Markdown; ends with
status 1 where an acknowledged answer was lost or doubled, or work came to nothing.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.chaos import installing

FOLDER = Path(".data-chaos")
INSIDE = "--inside"
MOUNTS = 'mount -t tmpfs none /run && mkdir /run/netns && exec "$@"'


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO", help="all without one")
    parser.add_argument("--delay", type=float, default=0.025, help="seconds one way (%(default)s)")
    parser.add_argument("--loss", type=float, default=0.01, help="share of packets (%(default)s)")
    parser.add_argument("--people", type=int, default=8, help="who answer (%(default)s)")
    parser.add_argument("--logs", type=Path, help="keep all folders and logs there")
    parser.add_argument(INSIDE, action="store_true", help=argparse.SUPPRESS)
    wanted = parser.parse_args()
    if not wanted.inside:
        return _outside()
    from tests.chaos import drive  # which needs the network that is made now

    programs = installing.install(FOLDER.resolve())
    with tempfile.TemporaryDirectory(prefix="chaos-") as temporary:
        return drive.run(wanted, programs, wanted.logs or Path(temporary))


def _outside() -> int:
    """Install what is missing, then start again in a network of its own."""
    try:
        installing.install(FOLDER.resolve())
    except installing.Missing as error:
        print(error, file=sys.stderr)
        return 2
    own = ["unshare", "--net", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child"]
    again = [sys.executable, "-m", "tests.chaos", INSIDE, *sys.argv[1:]]
    return subprocess.run([*own, "sh", "-c", MOUNTS, "sh", *again], env=os.environ).returncode


if __name__ == "__main__":
    sys.exit(main())
