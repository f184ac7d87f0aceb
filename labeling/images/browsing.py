"""Look through a project's pictures: all of them, or those of a keyword, a path or an import."""

from django.db.models import OuterRef, Q, QuerySet, Subquery

from labeling import provenance
from labeling.images.visibility import visible
from labeling.models import Image, Import, Project, Tile
from labeling.models.projects import name_key
from labeling.unions import RowUnion


def search(
    project: Project,
    *,
    words: str = "",
    record: Import | None = None,
    vendor: str = "",
    batch: str = "",
    license: str = "",
) -> QuerySet[Image] | RowUnion[Image]:
    """Return pictures, the newest first, each with the id of its whole tile as `whole`.

    words: equal to a keyword or a folder's name, or part of the path. record: the import that
    brought them, finished or not; without one, what is there for people (`visible`). vendor, batch:
    where they, or a text of theirs, come from. license: their own, else that of their import.
    """
    images = Image.objects.filter(project=project)
    images = images.filter(visible() if record is None else Q(imported_by=record))
    if key := name_key(words):
        plain = words.strip()
        images = images.filter(Q(stated_keys__contains=[key]) | Q(source__icontains=plain))
    whole = Tile.objects.filter(image=OuterRef("pk"), grid=1, position=0)
    images = images.annotate(whole=Subquery(whole.values("pk")[:1])).order_by("-pk")
    return provenance.of_images(images, project, vendor=vendor, batch=batch, license=license)
