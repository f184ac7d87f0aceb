"""The scheduler of periodic tasks: any number may run, and one of them at a time is at work.

The one at work holds a lease in the database. The others look every few seconds whether it is free,
and take over from a scheduler that died. What ran last, and when, lies beside the lease, so that no
task runs again because another scheduler took over, and none waits longer.
"""

import logging
import time
from datetime import datetime, timedelta
from typing import Any

from celery.beat import Scheduler
from django.db import Error, connection

LEASE = "periodic tasks"
DURATION = timedelta(seconds=10)  # of the lease: as soon another one takes over, and `EVERY` later
EVERY = 2.0  # seconds between two renewals, or two looks

logger = logging.getLogger(__name__)


class LeasedScheduler(Scheduler):  # type: ignore[misc]
    """Celery's scheduler, which sends nothing without the lease."""

    max_interval = EVERY

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self._lease: Any = None
        self._renewed_at = 0.0
        super().__init__(*arguments, **options)

    def tick(self, **options: Any) -> float:
        """Send a task that is due; return the seconds until the next call."""
        if not self._is_at_work() or not self._has_broker():
            return EVERY
        return min(float(super().tick(**options)), EVERY)

    def close(self) -> None:
        """Leave the lease to another scheduler at once."""
        from labeling.models import LeaseLost

        super().close()
        if self._lease is not None:
            try:
                self._lease.release(state=self._last_runs())
            except (LeaseLost, Error) as error:
                logger.warning("The lease of periodic tasks was not released: %s", error)
            self._lease = None

    def _is_at_work(self) -> bool:
        """Take or renew the lease where that is due; return whether it is held."""
        from labeling import lease
        from labeling.models import LeaseLost

        now = time.monotonic()  # before the database sets the lease's end
        if self._lease is not None and now < self._renewed_at + EVERY:
            return True
        try:
            if self._lease is not None:
                self._lease.renew(duration=DURATION, state=self._last_runs())
            elif held := lease.acquire_named(LEASE, duration=DURATION):
                logger.info("This scheduler is at work; others wait.")
                self._lease = held
                self._go_on_from(held.state)
            self._renewed_at = now
        except LeaseLost:
            logger.warning("Another scheduler is at work by now; this one waits.")
            self._lease = None
        except Error as error:
            logger.warning("The database is away, periodic tasks wait: %s", error)
            return self._lease is not None and now < self._renewed_at + DURATION.total_seconds() / 2
        finally:
            connection.close()
        return self._lease is not None

    def _has_broker(self) -> bool:
        """Connect to the broker unless that is done: whoever waits for it must not hold a lease."""
        try:
            self.connection.ensure_connection(max_retries=1, interval_start=0, interval_step=0)
        except self.connection.connection_errors as error:
            logger.warning("The broker is away, periodic tasks wait: %s", error)
            return False
        return True

    def _last_runs(self) -> dict[str, str]:
        return {name: entry.last_run_at.isoformat() for name, entry in self.schedule.items()}

    def _go_on_from(self, last_runs: dict[str, str]) -> None:
        """Count each task's time from when any scheduler sent it last."""
        now = self.app.now()
        for name, entry in self.schedule.items():
            if name in last_runs:
                entry.last_run_at = min(datetime.fromisoformat(last_runs[name]), now)
        self._heap = None
