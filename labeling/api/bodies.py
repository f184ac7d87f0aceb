"""What a request brings: fields that nobody reads are refused, never passed over in silence."""

from collections.abc import Mapping
from typing import Any, ClassVar

from django.http import QueryDict
from django.utils.translation import gettext as _
from drf_spectacular.extensions import OpenApiSerializerExtension
from rest_framework import serializers
from rest_framework.fields import _UnvalidatedField

from labeling.api.parsers import is_storable


class Strict(serializers.Serializer[Any]):
    """Refuse what has a field of another name."""

    either: ClassVar[tuple[str, ...]] = ()  # exactly one of these fields is sent

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Mapping):
            names = {name for name, field in self.fields.items() if not field.read_only}
            if unknown := sorted(str(name) for name in set(data) - names):
                raise serializers.ValidationError({unknown[0]: [_("There is no such field.")]})
        return super().to_internal_value(data)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if self.either and len(attrs.keys() & set(self.either)) != 1:
            fields = {"fields": ", ".join(self.either)}
            raise serializers.ValidationError(_("Send one of these fields: %(fields)s.") % fields)
        return attrs


class Body(Strict):
    """The JSON that a request brings: 5 is no text, and "5" is no number."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Mapping) and not isinstance(data, QueryDict):  # a form's are all texts
            for name, field in self.fields.items():
                if name in data and (leaf := _of_another_type(field, data[name])):
                    raise serializers.ValidationError({name: [_message(leaf)]})
        return super().to_internal_value(data)


def _message(field: Any) -> str:
    return str(field.error_messages.get("invalid") or "A text has a character that is none.")


_TYPES: dict[type, tuple[type, ...]] = {
    serializers.CharField: (str,),
    serializers.IntegerField: (int,),
    serializers.FloatField: (int, float),
    serializers.BooleanField: (bool,),
    serializers.SlugRelatedField: (str,),
}


def _of_another_type(field: Any, value: Any) -> Any:
    """Return the field, or what is in it, whose JSON is not of the type that is declared.

    None where there is none; null, and what is no list or object, are left to the field.
    """
    if type(field) is serializers.JSONField or type(field) is _UnvalidatedField:
        return None if is_storable(value) else field
    if isinstance(field, serializers.ListField | serializers.DictField):
        inner = value.values() if isinstance(value, dict) else value
        leaves = inner if isinstance(value, list | dict) else ()
        found = (_of_another_type(field.child, each) for each in leaves)
        return next(filter(None, found), None)
    types = next((types for kind, types in _TYPES.items() if isinstance(field, kind)), None)
    if isinstance(value, float) and value.is_integer():  # JSON's 1.0 is an integer
        value = int(value)
    is_right = value is None or types is None or type(value) in types
    return None if is_right else field


class StrictExtension(OpenApiSerializerExtension):  # type: ignore[no-untyped-call]
    """Declare that there are no other fields, and which exclude each other."""

    target_class = Strict
    match_subclasses = True

    def map_serializer(self, auto_schema: Any, direction: Any) -> dict[str, Any]:
        schema = auto_schema._map_serializer(self.target, direction, bypass_extensions=True)
        schema["additionalProperties"] = False
        if self.target.either:
            schema["oneOf"] = [{"required": [name]} for name in self.target.either]
        return dict(schema)
