"""Two people at once, one of them in a thread with a connection of its own."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from django.db import connection


def meanwhile(work: Callable[[], object]) -> None:
    """Run `work` on another connection, where waiting five seconds for a lock is an error."""

    def alone() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '5s'")
        try:
            work()
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        pool.submit(alone).result()
