"""What a source may state of its pictures, and what an import holds while it stores some."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from django.db import connection

from labeling import concepts as all_concepts
from labeling.imports import candidates, concepts
from labeling.imports.paths import folder_of
from labeling.imports.source_index import SourceIndex
from labeling.models import ClassSet, Concept, Import, LeaseLost, Project
from labeling.models.projects import name_key

_HOLD_RECORD = "SELECT FROM labeling_import WHERE id = %s AND lease_token = %s FOR SHARE"
_HOLD_CLASS_SET = "SELECT FROM labeling_classset WHERE id = %s FOR KEY SHARE"


@dataclass(frozen=True)
class Plan:
    """What the source may state of an image: the concepts of its folders and of its keywords."""

    by_folder: dict[str, Concept]  # folder's path → the concept that it names
    class_keys: dict[str, str]  # folder's path → the key of its name
    by_key: dict[str, Concept]  # of all names and aliases
    class_set: ClassSet | None = None  # of the folders, where there are several
    unnamed: Sequence[str] = ()  # paths of folders with pictures that name no concept

    def class_of(self, path: str) -> Concept | None:
        """Return the concept that the folder of an image names."""
        return self.by_folder.get(folder_of(path))

    def class_key_of(self, path: str) -> str:
        """Return the key by which the folder of an image names a concept; empty: it names none."""
        return self.class_keys.get(folder_of(path), "")

    def class_set_of(self, path: str) -> ClassSet | None:
        """Return the classes of which the image at this path is in one."""
        return self.class_set if self.class_of(path) else None


def plan(*, record: Import, index: SourceIndex, chosen: Mapping[str, str]) -> Plan:
    """Create the concepts that were chosen, as far as they are missing. Raises `SourceError`.

    chosen: phrases by name; an empty one becomes the name with its article. A folder is a class
    where its name was chosen.
    """
    project, source = record.project, source_name(record)
    named = {key: each.pictures for key, each in candidates.count(index, source).items()}
    concepts.ensure(project, chosen, named=named, pictures=index.images, record=record)
    return read(record=record, index=index, chosen=chosen)


def read(*, record: Import, index: SourceIndex, chosen: Iterable[str]) -> Plan:
    """Return what the source may state with the concepts that were chosen and created."""
    project, source = record.project, source_name(record)
    by_key = all_concepts.by_key(project)
    keys = concepts.chosen_keys(project, chosen)
    class_keys: dict[str, str] = {}
    for folder in index.folders:
        name = concepts.name_of_folder(folder, source=source)
        if name and name_key(name) in keys & by_key.keys():
            class_keys[folder] = name_key(name)
    by_folder = {folder: by_key[key] for folder, key in class_keys.items()}
    unnamed = sorted(set(index.folders) - set(by_folder) - {"", "."})
    return Plan(by_folder, class_keys, by_key, _class_set(project, by_folder.values()), unnamed)


def source_name(record: Import) -> str:
    """Return the name of a folder or archive, which is no concept, without its suffix."""
    return record.name.partition(".")[0]


def _class_set(project: Project, classes: Iterable[Concept]) -> ClassSet | None:
    """Return the set of a source's classes; None where its folders name fewer than two."""
    ids = sorted({concept.pk for concept in classes})
    if len(ids) < 2:
        return None
    class_set, _ = ClassSet.objects.get_or_create(project=project, concepts=ids)
    return class_set


def held(plan: Plan, project: Project) -> Plan:
    """Return the plan with the set of its classes, which stays until the transaction ends.

    Where a class was merged since the import began, another set may have taken its place.
    """
    if plan.class_set is None or _hold(plan.class_set):
        return plan
    ids = {concept.pk for concept in plan.by_folder.values()}
    survivors = dict(Concept.objects.filter(pk__in=ids).values_list("pk", "merged_into"))
    classes = sorted(survivors.get(pk) or pk for pk in ids)
    class_set, _ = ClassSet.objects.get_or_create(project=project, concepts=classes)
    return held(replace(plan, class_set=class_set), project)


def hold_record(record: Import) -> None:
    """Keep an import from being cancelled or undone until the transaction ends.

    Raises LeaseLost where it was, or where somebody else goes on with it.
    """
    with connection.cursor() as cursor:
        cursor.execute(_HOLD_RECORD, [record.pk, record.lease_token])
        if not cursor.rowcount:
            raise LeaseLost(f"The import {record} was ended, or somebody else goes on with it.")


def _hold(class_set: ClassSet) -> bool:
    """Whether a set of classes is still there; it is then kept until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute(_HOLD_CLASS_SET, [class_set.pk])
        return bool(cursor.rowcount)
