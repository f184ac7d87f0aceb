"""The database server dies for good, and its standby takes its place.

The steps are those of docs/deployment.md. Nothing that was acknowledged is lost where the server
waits for the standby at each commit.
"""

import signal

from tests.chaos.installation import Installation, wait_for
from tests.chaos.network import Network
from tests.chaos.scenarios import Scenario


def scenarios() -> dict[str, Scenario]:
    """Return the scenario by its short name: the last one, as nothing undoes it."""
    name = "postgresql dies for good, and its standby is promoted"
    return {"promotion": Scenario(name, lambda _: ["postgresql"], _promote, watched=20)}


def wait_for_standby(where: Installation) -> None:
    """Have the server acknowledge what its standby has, too, from now on."""
    with where.database() as database:
        database.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
        database.execute("SELECT pg_reload_conf()")
        synchronous = "SELECT FROM pg_stat_replication WHERE sync_state = 'sync'"
        wait_for(
            lambda: database.execute(synchronous).fetchone() is not None,
            "the standby is synchronous",
        )


def _promote(where: Installation, network: Network, machines: list[str]) -> None:
    wait_for_standby(where)
    where.parts.remove("postgresql")
    with where.database("standby") as standby:
        standby.execute("SELECT pg_promote()")
    where.write_pgbouncer("standby")
    where.parts.signal("pgbouncer", signal.SIGHUP)
