"""Keep a backup of this version, which all later ones are to restore: at each release.

    .venv/bin/python scripts/keep_version.py

It becomes `tests/config/backup/versions/VERSION.tar`, with a small project: pictures, answers, a
snapshot. Nothing is released as long as that of the first version is written again with the
migrations (`scripts/first_migrations.py`); once it is, neither changes any more.
"""

import os
import sys
import tarfile
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
KEPT = ROOT / "tests" / "config" / "backup" / "versions"


def main() -> None:
    """Make a project in an installation of its own, back it up, and pack that up."""
    sys.path.insert(0, str(ROOT))
    for name in ("DATABASE_URL", "CELERY_BROKER_URL", "CACHE_URL", "FILE_STORAGE"):
        os.environ.pop(name, None)
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {
            "DATA_DIR": f"{folder}/data",
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "ENV_FILE": "",
            "SECRET_KEY": "of-no-installation",
        }
        import django

        from config import servers

        with servers.ensure(Path(folder, "data")):
            django.setup()
            backed_up = Path(folder, "backup")
            path = _keep(backed_up)
    print(f"{path.relative_to(ROOT)}: {path.stat().st_size:,} bytes")


def _keep(folder: Path) -> Path:
    import labeling
    from config import backup
    from config.management import database

    database.migrate()
    _fill()
    backup.make(backup.place_at(str(folder)))
    path = KEPT / f"{labeling.__version__}.tar"
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as tar:
        for each in sorted(folder.rglob("*")):
            if each.is_file():
                tar.add(each, each.relative_to(folder).as_posix(), filter=_plain)
    return path


def _fill() -> None:
    """Make a project, with what people said of it."""
    from itertools import product

    from django.contrib.auth.models import User

    from labeling import answers, images, snapshots
    from labeling.inference import recompute
    from labeling.models import Annotator
    from tests import cast
    from tests.pictures import draw

    prepare = images.preparer()
    project = cast._make_shapes(
        [
            images.NewImage(
                picture=prepare(draw(shape=shape, colour=colour, corner=corner)),
                source=f"{colour} {shape} {number:02}.png",
            )
            for number, (shape, colour, corner) in enumerate(
                product(cast.SHAPES, cast.COLOURS, (4, 16))
            )
        ]
    )
    owner = User.objects.create_user("olga", "olga@example.org")
    project.memberships.create(user=owner, role="owner")
    asked = list(project.questions.filter(state="open").values_list("pk", flat=True)[:12])
    for name, said in (("alice", True), ("bob", False)):
        annotator = Annotator.objects.create(pseudonym=name)
        answers.record(
            annotator=annotator,
            values=dict.fromkeys(asked, said),
            reasons=dict.fromkeys(asked, "wanted"),
        )
    recompute.run(project=project)
    snapshots.freeze(project=project)


def _plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = member.mtime = 0
    member.uname = member.gname = ""
    member.mode = 0o644
    return member


if __name__ == "__main__":
    main()
