"""What requests about imports hold, and what they are answered."""

from typing import Any

from django.conf import settings
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import ValidationError

from labeling import reissues
from labeling.api.bodies import Body
from labeling.api.fields import Number, YesOrNo
from labeling.api.marked import MarkedSnapshotsOut
from labeling.imports import declarations
from labeling.imports.options import Column, Masks, Texts
from labeling.imports.text_evidence import Separator
from labeling.models import Import, UploadedFile
from labeling.models.imports import ADDRESS_LENGTH


@extend_schema_field(OpenApiTypes.STR)
class AnyText(serializers.Field[Any, Any, Any, Any]):
    """A text of any characters: what is wrong with one path must not refuse the others."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            raise ValidationError("This is no text.")
        return data

    def to_representation(self, value: Any) -> str:
        return str(value)


class OptionsIn(Body):
    """How a source is read where it does not say so itself."""

    encoding = serializers.CharField(
        required=False,
        allow_blank=True,
        max_length=100,
        help_text="Of names and texts that are not UTF-8: cp932, gb18030, cp1252 …",
    )
    texts = serializers.DictField(
        child=serializers.ChoiceField(list(Texts)),
        required=False,
        help_text="What its undecided texts are, by their group: a suffix (.txt), a column, or an "
        "empty name for all others.",
    )
    columns = serializers.DictField(
        child=serializers.CharField(max_length=100),
        required=False,
        help_text=f"Which columns of its tables hold what, by {', '.join(Column)}.",
    )
    masks = serializers.ChoiceField(
        list(Masks), required=False, help_text="What becomes of pictures that are masks of others."
    )
    bits = Number(
        required=False,
        min_value=9,
        max_value=15,
        help_text="How many are used of pictures of 16 bits whose files do not say so.",
    )


class OptionsOut(OptionsIn):
    """How a source is read; what was not chosen is not there."""


class DecisionOut(serializers.Serializer[Any]):
    """What the texts of a group are, and why."""

    group = serializers.CharField(help_text="A suffix with its dot (.txt), or a column.")
    texts = serializers.IntegerField()
    kind = serializers.ChoiceField([Texts.CAPTIONS, Texts.KEYWORDS, Texts.MIXED])
    reason = serializers.CharField()
    separator = serializers.ChoiceField(
        list(Separator), help_text="What stands between keywords, where they are some."
    )
    chosen = serializers.BooleanField(help_text="Whether a person chose it.")


class ForeseenOut(serializers.Serializer[Any]):
    """What will be refused of a source, known before it is imported."""

    reason = serializers.CharField()
    count = serializers.IntegerField(help_text="Files, rows and texts.")
    names = serializers.ListField(child=serializers.CharField(), help_text="The first of them.")


class ImportOut(serializers.ModelSerializer[Import]):
    project = serializers.SlugRelatedField[Any]("slug", read_only=True)
    requested_by = serializers.StringRelatedField[Any]()
    share = serializers.FloatField(
        read_only=True,
        allow_null=True,
        help_text="Of the current step, from 0 to 1; null: unknown.",
    )
    seconds_left = serializers.FloatField(
        read_only=True, allow_null=True, help_text="At the rate so far; null: not known yet."
    )
    waits_for = serializers.CharField(
        read_only=True, help_text="Why nobody is at it, in words; empty where a worker is."
    )

    options = OptionsOut(read_only=True)
    concepts = serializers.ListField(
        child=serializers.CharField(),
        read_only=True,
        allow_null=True,
        help_text="The names that were chosen; null: not yet.",
    )
    decisions = DecisionOut(many=True, read_only=True)
    foreseen = ForeseenOut(many=True, read_only=True)

    class Meta:
        model = Import
        fields = [
            "id",
            "project",
            "kind",
            "name",
            "address",
            "state",
            "files",
            "bytes",
            "received",
            "pictures",
            "done",
            "share",
            "seconds_left",
            "waits_for",
            "options",
            "decisions",
            "foreseen",
            "concepts",
            "counts",
            "error",
            *declarations.FIELDS,
            "requested_by",
            "created_at",
            "finished_at",
        ]
        read_only_fields = fields


class DeclarationIn(Body):
    """Where a whole import comes from; what a row of it says itself comes first."""

    vendor = serializers.CharField(
        required=False, allow_blank=True, max_length=200, help_text="Who wrote or sold its texts."
    )
    batch = serializers.CharField(
        required=False, allow_blank=True, max_length=200, help_text="The vendor's name for it."
    )
    license = serializers.CharField(
        required=False,
        allow_blank=True,
        max_length=200,
        help_text="Of what says no other license itself.",
    )
    url = serializers.CharField(
        required=False, allow_blank=True, max_length=1000, help_text="Where it was had from."
    )
    price = serializers.DecimalField(
        required=False,
        allow_null=True,
        max_digits=12,
        decimal_places=2,
        min_value=0,
        help_text="Of all of it together.",
    )
    currency = serializers.CharField(
        required=False, allow_blank=True, max_length=3, help_text="Of the price: EUR, USD."
    )
    note = serializers.CharField(required=False, allow_blank=True, max_length=2000)


class CandidateOut(serializers.Serializer[Any]):
    """A concept that keywords or folders name."""

    name = serializers.CharField()
    pictures = serializers.IntegerField(help_text="That are named so.")
    keywords = serializers.IntegerField(help_text="… by a keyword.")
    folders = serializers.IntegerField(help_text="… by their folder.")
    spellings = serializers.ListField(
        child=serializers.CharField(), help_text="Other spellings that count as the same."
    )
    concept = serializers.CharField(
        allow_null=True, help_text="The project's concept of that name or alias."
    )
    ticked = serializers.BooleanField(help_text="Whether it is proposed.")
    switched_off = serializers.BooleanField(
        default=False, help_text="Whether nobody is asked about that concept."
    )


class ReadingOut(serializers.Serializer[Any]):
    """How a file of answers or of gold is read."""

    remark = serializers.CharField()
    columns = serializers.ListField(
        child=serializers.CharField(), help_text="Among which may be chosen."
    )
    sample = serializers.ListField(
        child=serializers.DictField(child=serializers.CharField(allow_blank=True)),
        help_text="What it says first.",
    )


class ImportDetailOut(ImportOut):
    marked = serializers.SerializerMethodField(
        help_text="Of one that was taken back: snapshots that hold something removed; else null."
    )
    reading = ReadingOut(read_only=True, allow_null=True)
    candidates = CandidateOut(many=True, read_only=True)

    class Meta(ImportOut.Meta):
        fields = [*ImportOut.Meta.fields, "candidates", "reading", "marked"]
        read_only_fields = fields

    @extend_schema_field(MarkedSnapshotsOut(allow_null=True))
    def get_marked(self, record: Import) -> dict[str, Any] | None:
        if record.state != Import.State.UNDONE:
            return None
        return dict(MarkedSnapshotsOut(reissues.consequences(record.project)).data)


class BegunOut(ImportOut):
    part_bytes = serializers.SerializerMethodField(help_text="Of a request with parts, at most.")

    class Meta(ImportOut.Meta):
        fields = [*ImportOut.Meta.fields, "part_bytes"]
        read_only_fields = fields

    def get_part_bytes(self, record: Import) -> int:
        return settings.UPLOAD_PART_BYTES


class ImportIn(DeclarationIn):
    name = serializers.CharField(max_length=500, help_text="Of the folder or archive.")
    fingerprint = serializers.RegexField(
        "^([0-9a-f]{16,64})?$",
        default="",
        allow_blank=True,
        help_text="A hash of the list of files: an unfinished upload of the same one goes on.",
    )
    files = Number(default=0, min_value=0, max_value=10**9, help_text="How many will come.")
    bytes = Number(default=0, min_value=0, max_value=10**15, help_text="How many will come.")


class FileIn(Body):
    path = AnyText(help_text="In the folder, with slashes.")
    size = Number(min_value=0, max_value=10**15, help_text="In bytes.")
    modified = Number(
        default=0, min_value=0, max_value=10**15, help_text="Milliseconds since 1970."
    )


class FilesIn(Body):
    files = serializers.ListField(child=FileIn(), min_length=1)


class FileOut(serializers.Serializer[Any]):
    number = serializers.IntegerField(allow_null=True, help_text="Null: it is passed over.")
    received = serializers.IntegerField(help_text="Bytes that have come.")
    problem = serializers.CharField(
        allow_blank=True, help_text="Why it is refused, and must not be sent; empty: it is not."
    )


class FilesOut(serializers.Serializer[Any]):
    files = FileOut(many=True, help_text="In the order in which they were announced.")


class MissingOut(serializers.ModelSerializer[UploadedFile]):
    class Meta:
        model = UploadedFile
        fields = ["number", "path", "size", "received"]
        read_only_fields = fields


class PartOut(serializers.Serializer[Any]):
    number = serializers.IntegerField()
    received = serializers.IntegerField(help_text="Bytes of this file that have come.")


class PartsOut(serializers.Serializer[Any]):
    files = PartOut(many=True)


class CompleteIn(Body):
    start_at_once = YesOrNo(
        default=False, help_text="Import with the proposed concepts, without waiting for a choice."
    )
    concepts = serializers.ListField(
        child=serializers.CharField(max_length=500),
        allow_null=True,
        default=None,
        help_text="Import with these concepts, without waiting for a choice.",
    )
    options = OptionsIn(required=False)


class BucketIn(DeclarationIn, CompleteIn):
    address = serializers.CharField(
        max_length=ADDRESS_LENGTH,
        help_text="s3://bucket/prefix, which the server's owner allows.",
    )


class ConceptsIn(Body):
    concepts = serializers.ListField(child=serializers.CharField(max_length=500))
