"""As whom PostgreSQL runs, which refuses to be root and needs a user with a name."""

import os
import pwd
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from config.servers.paths import EmbeddedError

NOBODY = 65534  # everywhere, and with a name, without which initdb does not work


@dataclass(frozen=True)
class Identity:
    """A command that runs another one as somebody else, and the user who has to own the files."""

    prefix: tuple[str, ...]
    owner: int


AS_IS = Identity((), os.geteuid())
IN_USER_NAMESPACE = Identity(("unshare", "--user", f"--map-user={NOBODY}"), os.geteuid())
# Nobody keeps root's right to enter any folder, for data and binaries may lie where only root may
# go; by the secure bit, access(2), by which PostgreSQL looks for its programs, honours that right.
AS_NOBODY = Identity(
    (
        "setpriv",
        f"--reuid={NOBODY}",
        "--clear-groups",
        "--inh-caps=+dac_override",
        "--ambient-caps=+dac_override",
        "--securebits=+no_setuid_fixup",
    ),
    NOBODY,
)


def choose() -> Identity:
    """Return the first identity that this machine allows. Raises `EmbeddedError`.

    In a user namespace the files stay this user's. Where that is forbidden, root becomes nobody.
    """
    if os.geteuid() != 0 and _has_a_name():
        return AS_IS
    for identity in (IN_USER_NAMESPACE, AS_NOBODY):
        with suppress(FileNotFoundError):  # where util-linux is missing
            trial = subprocess.run([*identity.prefix, "true"], capture_output=True, check=False)
            if trial.returncode == 0:
                return identity
    raise EmbeddedError(
        "PostgreSQL runs neither as root nor as a user without a name, and this machine allows no "
        "user namespace: work as a normal user, or set DATABASE_URL."
    )


def give(folder: Path, owner: int) -> None:
    """Make the user own the folder and everything in it."""
    if folder.stat().st_uid == owner:
        return
    for path in (folder, *folder.rglob("*")):
        os.chown(path, owner, -1, follow_symlinks=False)


def _has_a_name() -> bool:
    try:
        pwd.getpwuid(os.geteuid())
    except KeyError:
        return False
    return True
