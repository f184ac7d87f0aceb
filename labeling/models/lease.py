"""A lease: the exclusive right to work on a row, which passes to somebody else unless renewed.

Claim, don't lock: every step is one conditional update whose row count says who won. All times are
the database's own, so that the clocks of several machines may differ.
"""

import secrets
from datetime import timedelta
from typing import Any, ClassVar, Self, TypeVar

from django.db import connection, models
from django.db.models import Q
from django.db.models.expressions import CombinedExpression
from django.db.models.functions import Now
from django.utils import timezone
from psycopg.pq import TransactionStatus

M = TypeVar("M", bound="Leased", covariant=True)


class LeaseLost(RuntimeError):
    """Somebody else holds the lease by now: whoever lost it must write nothing more."""


class LeasedQuerySet(models.QuerySet[M]):
    """Queries by lease, and the claim itself."""

    def free(self) -> Self:
        """Rows that nobody works on: never leased, released, or left by a holder that died."""
        return self.exclude(lease_until__gte=Now())

    def held(self) -> Self:
        """Rows that somebody works on: leased, and the holder renews its lease in time."""
        return self.filter(lease_until__gte=Now()).exclude(lease_token="")

    def expired(self, since: timedelta = timedelta()) -> Self:
        """Rows whose holder neither released nor renewed its lease in time, or so long after it."""
        return self.filter(lease_until__lt=_from_now(-since))

    def acquire(self, pk: Any, *, duration: timedelta | None = None, **fields: Any) -> M | None:
        """Lease one row and set `fields` with it; return the row, or None if another was first.

        The row must match this queryset and be free. `fields` may hold expressions. `duration`
        defaults to the model's `lease_duration`.
        """
        claimed = {
            "lease_token": secrets.token_hex(16),
            "lease_until": _from_now(duration or self.model.lease_duration),
            "heartbeat_at": Now(),
        }
        if not self.filter(pk=pk).free().update(**claimed, **fields):
            return None
        return models.QuerySet(self.model).get(pk=pk)

    def acquire_first(self, **fields: Any) -> M | None:
        """Lease the first free one of these rows, in their order; return None where none is."""
        while (pk := self.free().values_list("pk", flat=True).first()) is not None:
            if row := self.acquire(pk, **fields):
                return row
        return None

    def revoke(self, **fields: Any) -> int:
        """End the leases of these rows, whoever holds them; return the number of rows."""
        return self.update(lease_token="", lease_until=None, **fields)


class Leased(models.Model):
    """A row that one process at a time works on.

    The holder keeps the instance that `acquire` returned: its token proves the lease. It renews
    the lease well within `lease_duration` (`labeling.lease.kept`), and releases it once. The
    duration is how long work stands still after its machine has died.
    """

    lease_duration: ClassVar[timedelta] = timedelta(seconds=10)

    lease_token = models.CharField(max_length=32, blank=True, editable=False)
    lease_until = models.DateTimeField(null=True, blank=True, editable=False)
    heartbeat_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="When its holder last reported."
    )

    objects = LeasedQuerySet.as_manager()

    class Meta:
        abstract = True

    @property
    def is_leased(self) -> bool:
        """Whether somebody worked on the row when it was read."""
        until = self.lease_until
        return bool(self.lease_token) and until is not None and until >= timezone.now()

    def renew(self, *, duration: timedelta | None = None, **fields: Any) -> None:
        """Prolong the lease and set `fields`, in the row and here. Raises LeaseLost."""
        self._update_held(
            lease_until=_from_now(duration or self.lease_duration), heartbeat_at=Now(), **fields
        )
        self._assign(fields)

    def release(self, **fields: Any) -> None:
        """Give the lease back and set `fields`, in the row and here. Raises LeaseLost.

        Also after an interrupt, such as Ctrl-C, that left a query of this thread unfinished.
        """
        _abandon_unfinished_query()
        freed = {"lease_token": "", "lease_until": None, **fields}
        self._update_held(**freed)
        self._assign(freed)

    def postpone(self, duration: timedelta, **fields: Any) -> None:
        """Give the lease back, to be taken after so long, and set `fields`. Raises LeaseLost."""
        _abandon_unfinished_query()
        freed = {"lease_token": "", **fields}
        self._update_held(lease_until=_from_now(duration), **freed)
        self._assign({"lease_until": None, **freed})

    def _update_held(self, **fields: Any) -> None:
        """Update the row while this instance's token is its own, even past the lease's end."""
        held = Q(pk=self.pk, lease_token=self.lease_token) & ~Q(lease_token="")
        if not type(self)._default_manager.filter(held).update(**fields):
            raise LeaseLost(f"The lease of {self} has passed to somebody else.")

    def _assign(self, fields: dict[str, Any]) -> None:
        for name, value in fields.items():
            setattr(self, name, value)


def _abandon_unfinished_query() -> None:
    """Close a connection on which a query was left unfinished: it takes no other one."""
    driver = connection.connection
    if driver is not None and driver.info.transaction_status == TransactionStatus.ACTIVE:
        connection.close()


def _from_now(duration: timedelta) -> CombinedExpression:
    return Now() + duration
