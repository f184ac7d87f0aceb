"""Sources of images, and what their import says."""

import io
import tarfile
import zipfile

import pytest
from django.core.management import CommandError, call_command

from labeling.models import Project, Question


def fill(folder, **files):
    for name, data in files.items():
        write(folder, name, data)


def write(folder, name, data):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data if isinstance(data, bytes) else data.encode())


def zipped(path, files):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files:
            archive.writestr(name, data)
    return path


def tarred(path, files, mode="w"):
    with tarfile.open(path, mode) as archive:
        for name, data in files:
            info = tarfile.TarInfo(name) if isinstance(name, str) else name
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def take(source, **options):
    out = io.StringIO()
    call_command("import_images", str(source), project="photos", stdout=out, **options)
    return out.getvalue()


def refused(source, **options):
    with pytest.raises(CommandError) as error:
        take(source, **options)
    assert "\n" not in str(error.value)
    return str(error.value)


def publish():
    """Open the project, which an import makes as a draft."""
    Project.objects.update(state="open")


def prior(concept, source):
    return Question.objects.get(concept__name=concept, tile__image__source=source).prior


def captions():
    return set(Question.objects.filter(kind="caption").values_list("tile__image__source", "text"))
