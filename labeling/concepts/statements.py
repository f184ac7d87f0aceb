"""Take over what imports state: the pictures whose keywords or folders name a concept.

The statement is believed of a picture whether its question is stored or not (`labeling.beliefs`).
To store the questions lets people be asked what the imports said, and puts the statement into the
priors of questions that are stored already.
"""

from collections import Counter
from collections.abc import Iterator

from django.db import transaction
from django.db.models import CharField, Count, Func, QuerySet

from labeling import beliefs, images, questions, restating
from labeling.batches import batched
from labeling.beliefs import Statements
from labeling.images import visible
from labeling.models import Concept, Image, Project, Question, Tile

AT_ONCE = 1_000  # pictures whose statements are taken over while somebody waits
BATCH = 500  # pictures in a transaction


def naming(project: Project, keys: set[str]) -> QuerySet[Image]:
    """Return the project's pictures that imports give one of these keys: by keyword or folder."""
    return Image.objects.filter(project=project, generated=False, stated_keys__overlap=sorted(keys))


def count_by_key(project: Project, keys: set[str]) -> Counter[str]:
    """Return by key how many of those pictures there are that people may see."""
    key = Func("stated_keys", function="unnest", output_field=CharField())
    pictures = naming(project, keys).filter(visible()).order_by().values(key=key)
    counts = pictures.annotate(count=Count("pk")).values_list("key", "count")
    return Counter({key: count for key, count in counts if key in keys})


def take_over(concept: Concept, *, limit: int | None = None) -> int:
    """Store the questions about a concept that imports state, for so many pictures; all by default.

    It goes on where it stopped, and is done once `unfinished_from` is null. Return the number of
    pictures.
    """
    count = 0
    for taken in _batches(concept, limit):
        count += taken
    concept.refresh_from_db(fields=["unfinished_from"])
    return count


def take_over_all(project: Project) -> int:
    """Do so for all concepts of a project that are not finished; return the number of pictures."""
    unfinished = project.concepts.filter(merged_into=None, unfinished_from__isnull=False)
    return sum(map(take_over, unfinished))


def take_back(concept: Concept, earlier: Concept, gone: set[str]) -> None:
    """Take back from stored questions what imports stated by keys that a locked concept has lost.

    earlier: the concept with its names as they were. Called in the transaction that changes them.
    """
    stored = Question.objects.filter(
        concept=concept, stated__isnull=False, tile__image__in=naming(concept.project, gone)
    )
    before, now = (Statements(concept.project, [each]) for each in (earlier, concept))
    for tiles in batched(stored.order_by("pk").values_list("tile", flat=True), BATCH):
        facts = beliefs.facts(tiles)
        changed = restating.changes(facts, [concept], before.of(facts), now.of(facts))
        restating.restate({}, changed)


def _batches(concept: Concept, limit: int | None) -> Iterator[int]:
    """Take over a batch at a time; yield the number of its pictures."""
    left = limit
    while left is None or left > 0:
        size = BATCH if left is None else min(BATCH, left)
        taken = _take_over_batch(concept.pk, size)
        yield taken
        if taken < size:
            return
        left = None if left is None else left - taken


def _take_over_batch(pk: int, size: int) -> int:
    """Take over the next pictures' statements in one transaction; return their number."""
    with transaction.atomic():
        locked = Concept.objects.select_for_update(no_key=True, of=("self",))
        concept = locked.select_related("project").filter(pk=pk, merged_into=None).first()
        if concept is None or concept.unfinished_from is None:
            return 0
        pictures = naming(concept.project, concept.keys).filter(
            images.visible(), pk__gt=concept.unfinished_from
        )
        confidence = dict(pictures.order_by("pk").values_list("pk", "import_confidence")[:size])
        tiles = Tile.objects.filter(image__in=confidence, grid=1, image__cut_into=0)
        boxes = Tile.objects.filter(
            image__in=confidence, grid=Tile.BOX, box_statements__key__in=concept.keys
        )
        stated = {
            (tile, pk): confidence[image]
            for some in (tiles, boxes)
            for tile, image in some.values_list("pk", "image_id")
        }
        questions.ask_pairs(
            project=concept.project,
            pairs=stated.keys(),
            stated=stated,
            reason=Question.Reason.STATED,
        )
        concept.unfinished_from = max(confidence) if len(confidence) == size else None
        concept.save(update_fields=["unfinished_from"])
    return len(confidence)
