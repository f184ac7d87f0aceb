"""What a removal marks, over HTTP: snapshots that hold it, and models that learned from these."""

from typing import Any

from rest_framework import serializers


class DependentOut(serializers.Serializer[Any]):
    id = serializers.IntegerField(source="pk")
    name = serializers.CharField()


class MarkedSnapshotOut(serializers.Serializer[Any]):
    id = serializers.IntegerField(source="pk")
    sha256 = serializers.CharField()
    warning = serializers.CharField(help_text="What was removed since, in sentences.")


class MarkedSnapshotsOut(serializers.Serializer[Any]):
    """Snapshots that hold something removed, and wait: POST to the project's `reissue/`."""

    snapshots = MarkedSnapshotOut(many=True)
    models = DependentOut(many=True, help_text="That learned from these.")
