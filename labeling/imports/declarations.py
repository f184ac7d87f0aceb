"""What its importer declares of a whole import: vendor, batch, license, price, address, a note.

What a row of the source says of its own texts comes before it (`labeling.provenance`).
"""

import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction

from labeling import audit
from labeling.imports import texts
from labeling.imports.members import SourceError
from labeling.models import Event, Import

LIMITS = {"vendor": 200, "batch": 200, "license": 200, "url": 1_000, "note": 2_000}  # characters
FIELDS = (*LIMITS, "price", "currency")
PRICE_MAX = 10**10
CURRENCY = re.compile(r"[A-Z]{3}")


class DeclarationError(SourceError):
    """What is declared cannot be kept; the message says why, and `field` of what."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


def clean(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is declared, by the fields of `Import`. Raises DeclarationError.

    Fields that are not named are left out; an empty price is None.
    """
    cleaned: dict[str, Any] = {
        name: _text(name, str(values[name] or "")) for name in LIMITS if name in values
    }
    if "price" in values:
        cleaned["price"] = _price(values["price"])
    if "currency" in values:
        cleaned["currency"] = _currency(str(values["currency"] or ""))
    if cleaned.get("price") is not None and not cleaned.get("currency"):
        raise DeclarationError("currency", "Say in which currency the price is: EUR, USD.")
    return cleaned


def declare(record: Import, values: Mapping[str, Any], *, by: AbstractBaseUser | None) -> Import:
    """Keep what is declared of an import, and note it in the history. Raises DeclarationError."""
    cleaned = clean({"price": record.price, "currency": record.currency, **values})
    changed = [name for name in cleaned if getattr(record, name) != cleaned[name]]
    if not changed:
        return record
    with transaction.atomic():
        Import.objects.filter(pk=record.pk).update(**cleaned)
        audit.record(
            project=record.project,
            kind=Event.Kind.IMPORT,
            message=f"Declared of {record}: {', '.join(changed)}.",
            by=by,
            row=record,
        )
    record.refresh_from_db(fields=list(cleaned))
    return record


def _text(name: str, value: str) -> str:
    lines = [texts.cleaned(line) for line in value.splitlines()] if name == "note" else None
    text = "\n".join(lines).strip() if lines is not None else texts.cleaned(value)
    plain = texts.cleaned(text)
    if plain and (problem := texts.problem(plain, name, LIMITS[name])):
        raise DeclarationError(name, f"The import cannot be described so: {problem}.")
    return text


def _price(value: Any) -> Decimal | None:
    if value in (None, ""):
        return None
    try:
        price = Decimal(str(value))
    except InvalidOperation as error:
        raise DeclarationError("price", "A price is a number, such as 1250.50.") from error
    if not price.is_finite() or not 0 <= price < PRICE_MAX:
        raise DeclarationError("price", f"A price is from 0 to {PRICE_MAX:,}.")
    return price.quantize(Decimal("0.01"))


def _currency(value: str) -> str:
    code = value.strip().upper()
    if code and not CURRENCY.fullmatch(code):
        raise DeclarationError("currency", "A currency has three letters: EUR, USD.")
    return code
