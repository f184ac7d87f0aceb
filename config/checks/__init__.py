"""What is wrong with an installation, each in a sentence that says what to do.

Settings are checked by Django's `check` and before each command; what a process stands on, the
database, the broker, the storage, the clock and the other processes, before web, worker and
scheduler begin (`config.start`), and by `check --deploy`.
"""


def register() -> None:
    """Let Django's command `check` run them."""
    from django.core.checks import register as registered

    from config.checks.broker import check_broker
    from config.checks.database import check_database
    from config.checks.processes import check_processes
    from config.checks.replica import check_replica
    from config.checks.settings import check_settings
    from config.checks.storage import check_ownership, check_storage

    registered(check_settings, "settings")
    for check in (
        check_database,
        check_replica,
        check_broker,
        check_storage,
        check_ownership,
        check_processes,
    ):
        registered(check, "installation", deploy=True)
