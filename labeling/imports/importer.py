"""Members → images, batch by batch and share by share, by as many workers as there are.

Whoever is killed leaves its shares to others, and an import that was stopped goes on where it was.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain

from django.conf import settings
from django.db import transaction

from labeling import concepts as all_concepts
from labeling import images, lease, questions
from labeling.decoding import ImageRejected, Picture
from labeling.decoding.pool import DecodingPool
from labeling.images import NewImage, StoredImage
from labeling.images.duplicates import DuplicateIndex
from labeling.imports import (
    box_tiles,
    gold,
    pairs,
    plans,
    read_ahead,
    shares,
    stated_captions,
    statements,
)
from labeling.imports.entries import Kind
from labeling.imports.members import Member
from labeling.imports.metadata import Metadata
from labeling.imports.options import Options
from labeling.imports.plans import Plan
from labeling.imports.provenance import Provenance
from labeling.imports.read_ahead import Batch, Stretch
from labeling.imports.report import Report
from labeling.imports.share_outcomes import Unseen
from labeling.imports.shares import Held
from labeling.imports.source import Members
from labeling.imports.source_index import SourceIndex
from labeling.imports.text_sources import VENDORS_MAX, TextSources
from labeling.models import (
    Image,
    Import,
    ImportShare,
    ImportStatement,
    Project,
    Tile,
)
from labeling.models.projects import name_key
from labeling.restating import Change, Pair, Watch

Stored = tuple[str, StoredImage]  # a path and the picture there
DELETED = "was deleted during the import: import it again"

State = ImportShare.State


def run(
    *,
    record: Import,
    members: Members,
    index: SourceIndex,
    plan: Plan,
    renew: Callable[[int], None],
) -> bool:
    """Take in the shares of an import that are left; return whether all are done.

    Others may be at it, too. What the project has already is left as it is. renew: called with the
    number of pictures that were looked at, about once a second. Raises `PoolError`, LeaseLost, and
    what `renew` raises.
    """
    return _Importer(record, members, index, plan, renew).run()


def add_up(record: Import, index: SourceIndex, report: Report) -> None:
    """Add what became of all shares to a report, in the order of the source; check its counts."""
    report.add_texts(index)
    refused, vendors = report.refused, set(record.row_vendors)
    for outcome in shares.outcomes(record):
        report.add(outcome.report.part())
        if len(vendors) < VENDORS_MAX:
            vendors |= outcome.vendors
    record.row_vendors = sorted(vendors)
    report.check(read=shares.looked_at(record) + refused)


class _Importer:
    """Takes in shares of one import: at first all that can be stored, then all that is asked."""

    def __init__(
        self,
        record: Import,
        members: Members,
        index: SourceIndex,
        plan: Plan,
        renew: Callable[[int], None],
    ) -> None:
        self.record, self.index = record, index
        self._pictures = _Pictures(members, index.metadata_paths | index.masks)
        self._batches = _BatchImporter(record, index, plan)
        self._renew = renew
        self._held: set[Held] = set()
        self._progress = lease.now_and_then(self._note, seconds=shares.RENEW_EVERY)

    def run(self) -> bool:
        """Take in what is left; return whether all shares are done."""
        try:
            with shares.kept(self._held):
                self._store_all()
                self._batches.begin_asking()
                self._ask_all()
        finally:
            for held in self._held:
                shares.give_back(held)
        return not shares.left(self.record, State.WAITING, State.STORED)

    def _store_all(self) -> None:
        """Store until nobody has anything left to be stored."""
        limits = {"bytes_max": settings.IMAGE_MAX_BYTES, "pixels_max": settings.IMAGE_MAX_PIXELS}
        bits = Options.of(self.record.options).bits
        with DecodingPool(**limits, bits=bits) as pool:
            since = time.monotonic()
            while shares.left(self.record, State.WAITING):
                if held := shares.acquire(self.record, State.WAITING):
                    self._store(chain([held], self._acquired(State.WAITING)), pool)
                    since = time.monotonic()
                else:  # others are at the rest
                    shares.wait(self.record, since)

    def _acquired(self, state: ImportShare.State) -> Iterator[Held]:
        while held := shares.acquire(self.record, state):
            yield held

    def _store(self, several: Iterable[Held], pool: DecodingPool) -> None:
        """Store shares, each when it is its turn."""
        ready = read_ahead.batches(
            stretches=map(self._stretch, several),
            size=shares.SIZE,
            project=self.record.project,
            pool=pool,
        )
        for held, batch, is_last in ready:
            written = batch.write()
            since = time.monotonic()
            while not shares.is_turn(self.record, held, State.WAITING):
                if lost := shares.take_over(self.record, held, State.WAITING):
                    self._store([lost], pool)
                else:
                    self._wait(held, since)
            self._batches.import_batch(held, written)
            if is_last:
                asked = State.STORED if held.outcome.is_to_be_asked else State.DONE
                self._end(held, asked)

    def _stretch(self, held: Held) -> Stretch[Held]:
        self._held.add(held)
        members = self._pictures.of(held.row.first)
        return Stretch(held, self._counted(held, members), self._refuser(held))

    def _counted(self, held: Held, members: Iterable[Member]) -> Iterator[Member]:
        for member in members:
            held.looked_at += 1
            self._progress(held)
            yield member

    def _refuser(self, held: Held) -> Callable[[str, str], None]:
        def refuse(path: str, reason: str) -> None:
            held.outcome.report.refuse(path, reason, self.index.metadata(path))

        return refuse

    def _ask_all(self) -> None:
        """Ask what the source says of the pictures that are stored, of all that nobody is at."""
        for held in self._acquired(State.STORED):
            self._ask(held)

    def _ask(self, held: Held) -> None:
        self._held.add(held)
        held.looked_at = held.row.looked_at
        since = time.monotonic()
        while held.outcome.has_gold and not shares.is_turn(self.record, held, State.STORED):
            if lost := shares.take_over(self.record, held, State.STORED):
                self._ask(lost)
            else:
                self._wait(held, since)
        self._batches.ask(held)
        self._end(held, State.DONE)

    def _end(self, held: Held, state: ImportShare.State) -> None:
        shares.end(held, state)
        self._held.discard(held)

    def _wait(self, held: Held, since: float) -> None:
        """Wait a moment for others. Raises LeaseLost where the import has ended meanwhile."""
        shares.wait(self.record, since)
        self._progress(held)

    def _note(self, held: Held) -> None:
        self._renew(shares.note_progress(self.record, held))


class _Pictures:
    """The pictures of a source by their places in it; going back begins from the start."""

    def __init__(self, members: Members, others: Collection[str]) -> None:
        self._members, self._others = members, others
        self._place = 0
        self._iterator = self._begin()

    def of(self, first: int) -> Iterator[Member]:
        """Yield the pictures from a place on. What was yielded before is to be read by then."""
        if first < self._place:
            self._place, self._iterator = 0, self._begin()
        for member in self._iterator:
            self._place += 1
            if self._place > first:
                yield member

    def _begin(self) -> Iterator[Member]:
        for member in self._members():
            if isinstance(member, Member) and member.path not in self._others:
                yield member


class _BatchImporter:
    """Import batches of one source, each in one transaction.

    What is asked about pictures that are not there for people yet (`images.visible`) is asked at
    the end, when all of them are stored.
    """

    def __init__(self, record: Import, index: SourceIndex, plan: Plan) -> None:
        self.record = record
        self.project = record.project
        self.index = index
        self.plan = plan
        self.held: Held  # the share that is being stored or asked about
        self.report: Report  # … and what is said of it
        self.duplicate_index = DuplicateIndex(record.project)
        self.text_sources = TextSources(record)
        self.remarks: dict[str, str] = {}  # by path, of pictures that are still to be counted
        self.are_pairs = Options.of(record.options).pairs
        self.pair_concept = pairs.concept_of(record)

    def begin(self, held: Held) -> None:
        """Turn to a share."""
        self.held, self.report = held, held.outcome.report
        self.text_sources.vendors = held.outcome.vendors

    def import_batch(self, held: Held, batch: Batch) -> None:
        """Import a batch of a share, and count what became of it once it is committed.

        What was removed since it was read is stored anew: undoing one import disturbs no other.
        """
        self.begin(held)
        while gone := self._import_unless_gone(batch):
            batch = batch.decode(sorted(gone))

    def _import_unless_gone(self, batch: Batch) -> set[str]:
        """Import a batch, unless pictures that were known are gone; return the hashes of these."""
        metadata = {path: self.index.metadata(path) for path in batch.sha256s}
        with transaction.atomic():
            shares.hold(self.held)
            self.plan = plans.held(self.plan, self.project)
            if gone := self._gone(batch):
                return gone
            self.text_sources.ensure(
                metadata[path]
                for path, sha256 in batch.sha256s.items()
                if not isinstance(batch.results.get(sha256), ImageRejected)
            )
            stored = self._store(batch, metadata)
            self._note_pairs(stored, metadata)
            rows_of = self._statements(stored, metadata)
            if self.held.goes_on:
                statements.complete(self.record, rows_of)
            added = statements.add(self.record, rows_of)
            changed = self._save(added, stored)
            seen = self._seen(stored)
            boxes = self._store_boxes(stored, seen, metadata)
            _ask(self.project, seen, metadata, self.plan, changed, boxes)
            self._ask_captions(seen, rows_of, added.rows)
        self._retract({image.image.pk for _, image in seen} & added.rows.keys())
        for retracted in added.retracted:
            self.report.retract(*retracted)
        self._attach_gold(seen, metadata)
        self._note_remarks(batch)
        later = self._put_by(stored, seen, metadata)
        self._count(batch, dict(stored), metadata, later)
        return gone

    def _note_pairs(
        self, stored: Sequence[tuple[str, StoredImage]], metadata: Mapping[str, Metadata]
    ) -> None:
        """Note the pictures that were made of two halves, or that the source says show two."""
        shown = [
            image.image
            for path, image in stored
            if self.are_pairs or (metadata[path].is_pair and pairs.has_halves(image.image))
        ]
        if shown:
            pairs.note(shown, self.pair_concept)

    def _gone(self, batch: Batch) -> set[str]:
        """Return the hashes of what the project has no longer; the rest stays from here on."""
        known = batch.known.keys() - batch.results.keys()
        if not known:
            return set()
        images.lock(self.project)
        return known - images.stored_sources(project=self.project, source_sha256s=known)

    def _seen(self, stored: Sequence[Stored]) -> Sequence[Stored]:
        """Return those of the pictures that people see already."""
        ids = [image.image.pk for _, image in stored if not image.new]
        seen = set(Image.objects.filter(images.visible(), pk__in=ids).values_list("pk", flat=True))
        return [(path, image) for path, image in stored if image.image.pk in seen]

    def _store_boxes(
        self, stored: Sequence[Stored], seen: Sequence[Stored], metadata: Mapping[str, Metadata]
    ) -> Sequence[box_tiles.Labelled]:
        """Store the boxes of a batch; put by those on pictures unseen, and return the rest."""
        paths = {path for path, _ in seen}
        others = [(path, image) for path, image in stored if path not in paths]
        boxes, clipped = box_tiles.store(self.record, seen, metadata)
        unseen, clipped_unseen = box_tiles.store(self.record, others, metadata)
        self.held.outcome.boxes += unseen
        self.report.clipped += clipped + clipped_unseen
        return boxes

    def _put_by(
        self, stored: Sequence[Stored], seen: Sequence[Stored], metadata: Mapping[str, Metadata]
    ) -> set[str]:
        """Note what is to be asked about the other pictures; return the paths of gold to come.

        Whether that is attached or refused is known, and counted, when it is asked.
        """
        unseen = {path: image.tile.pk for path, image in stored}
        for path, _ in seen:
            del unseen[path]
        later = {path for path in unseen if metadata[path].read[Kind.GOLD]}
        for path, tile in unseen.items():
            if path in later:
                remark = self.remarks.pop(path, "")
                put_by = Unseen.of_gold(path, tile, remark, metadata[path])
            elif metadata[path].read or self.plan.class_of(path):
                put_by = Unseen(path, tile)
            else:
                continue
            self.held.outcome.unseen.append(put_by)
        return later

    def begin_asking(self) -> None:
        """Be ready to ask, now that all pictures are stored."""
        self.plan = replace(self.plan, by_key=all_concepts.by_key(self.project))

    def ask(self, held: Held) -> None:
        """Ask what the source says of pictures of a share that nobody has seen."""
        self.begin(held)
        unseen = {each.path: each for each in held.outcome.unseen}
        stored = _stored((each.path, each.tile) for each in unseen.values())
        metadata = {path: unseen[path].restore(self.index.metadata(path)) for path in unseen}
        with transaction.atomic():
            shares.hold(held)
            self.plan = plans.held(self.plan, self.project)
            _ask(self.project, stored, metadata, self.plan, {}, held.outcome.boxes)
            self.text_sources.ensure(metadata.values())
            rows_of = self._statements(stored, metadata)
            kept = statements.by_image([image.pk for image in rows_of])
            self._ask_captions(stored, rows_of, kept)
        self._retract(kept.keys())
        self._attach_gold(stored, metadata)
        rows = dict(stored)
        for path, each in unseen.items():
            if each.is_counted_later:
                self.remarks[path] = each.remark
                self._count_one(path, rows.get(path), metadata[path], DELETED)
        held.outcome.unseen, held.outcome.boxes = [], []

    def _ask_captions(
        self,
        stored: Sequence[Stored],
        rows_of: Mapping[Image, Sequence[ImportStatement]],
        kept: statements.Statements,
    ) -> None:
        """Ask about the captions that the source states, as far as nobody is asked yet."""
        tiles = {image.image.pk: image.tile for _, image in stored}
        rows = {image.pk: list(rows) for image, rows in rows_of.items()} | kept
        stated_captions.ask(list(tiles.values()), stated_captions.of(rows, tiles))

    def _retract(self, image_ids: Collection[int]) -> None:
        """Retract captions that are put right; an import that is stopped here does so again.

        In a transaction of its own: the questions are locked in the order of their ids.
        """
        if image_ids:
            with transaction.atomic():
                shares.hold(self.held)
                images.lock(self.project)
                stated_captions.settle(statements.by_image(image_ids))

    def _attach_gold(
        self, stored: Sequence[tuple[str, StoredImage]], metadata: Mapping[str, Metadata]
    ) -> None:
        """Mark what the source says is gold; an import that is stopped here does so again.

        In a transaction of its own: the questions are locked in the order of their ids.
        """
        with transaction.atomic():
            shares.hold(self.held)
            corrected = gold.attach(
                record=self.record, stored=stored, metadata=metadata, concepts=self.plan.by_key
            )
        for path, text in corrected:
            self.report.retract(path, Kind.GOLD, text)

    def _store(
        self, batch: Batch, metadata: Mapping[str, Metadata]
    ) -> list[tuple[str, StoredImage]]:
        """Return path and image of all that is stored now, whether new or not."""
        new_images = list(self._new_images(batch, metadata))
        added = images.add_many(
            project=self.project,
            new_images=new_images,
            duplicate_index=self.duplicate_index,
            written=batch.written,
        )
        stored = [(new.source, image) for new, image in zip(new_images, added, strict=True)]
        others = set(batch.sha256s.values()) - batch.results.keys()
        existing = images.find_stored(project=self.project, source_sha256s=others)
        stored += [
            (path, existing[sha256]) for path, sha256 in batch.sha256s.items() if sha256 in existing
        ]
        return stored

    def _new_images(self, batch: Batch, metadata: Mapping[str, Metadata]) -> Iterator[NewImage]:
        for path, sha256 in batch.sha256s.items():
            picture = batch.results.get(sha256)
            if isinstance(picture, Picture):
                yield NewImage(
                    picture=picture,
                    source=path,
                    license=metadata[path].license,
                    keywords=metadata[path].keywords,
                    class_key=self.plan.class_key_of(path),
                    class_set=self.plan.class_set_of(path),
                    imported_by=self.record,
                    text_source=self.text_sources.id_of(metadata[path].provenance),
                )

    def _statements(
        self, stored: Sequence[tuple[str, StoredImage]], metadata: Mapping[str, Metadata]
    ) -> dict[Image, list[ImportStatement]]:
        """Return what the source says of each image, in the order of its files."""
        rows: dict[int, Image] = {}
        rows_of: dict[Image, dict[tuple[str, int | None], ImportStatement]] = defaultdict(dict)
        for path, stored_image in stored:
            image = rows.setdefault(stored_image.image.pk, stored_image.image)
            for row in self._of_path(image, path, metadata[path]):
                same = rows_of[image].setdefault((row.path, row.text_source_id), row)
                if same is not row:  # two long paths with the same end
                    same.keywords += row.keywords
                    same.captions += row.captions
        return {image: list(by_place.values()) for image, by_place in rows_of.items()}

    def _of_path(self, image: Image, path: str, metadata: Metadata) -> Iterable[ImportStatement]:
        """Return what the source says of a path of an image, in one statement a text source."""
        class_key = self.plan.class_key_of(path)
        rows: dict[int | None, ImportStatement] = {}

        def row(provenance: Provenance) -> ImportStatement:
            source = self.text_sources.id_of(provenance)
            if source not in rows:
                rows[source] = ImportStatement(
                    image=image,
                    imported_by=self.record,
                    path=images.cut_source(path),
                    text_source_id=source,
                    confidence=self.project.import_confidence,
                )
            return rows[source]

        own = row(metadata.provenance)
        own.license = images.cut_license(metadata.license)
        own.class_keys = statements.class_keys([class_key], metadata.keywords)
        own.class_set = self.plan.class_set_of(path)
        for number, keyword in enumerate(images.clean_keywords(metadata.keywords)):
            row(metadata.provenance_of_keyword(number)).keywords.append(keyword)
        for number, caption in enumerate(metadata.captions):
            row(metadata.provenance_of_caption(number)).captions.append(caption)
        return rows.values()

    def _save(
        self, added: statements.Added, stored: Sequence[tuple[str, StoredImage]]
    ) -> dict[Pair, Change]:
        """Save images as the source describes them now; return what that changes of concepts."""
        if not added.restated:
            images.save_statements(added.changed, statements.ROW)
            return {}
        tiles = {image.image.pk: image.tile.pk for _, image in stored}
        watch = Watch(self.project, [tiles[image.pk] for image in added.restated])
        images.save_statements(added.changed, statements.ROW)
        return watch.changes()

    def _count(
        self,
        batch: Batch,
        stored: Mapping[str, StoredImage],
        metadata: Mapping[str, Metadata],
        later: Collection[str],
    ) -> None:
        for path, sha256 in batch.sha256s.items():
            if path not in later:
                result = batch.results.get(sha256)
                reason = str(result) if isinstance(result, ImageRejected) else DELETED
                self._count_one(path, stored.get(path), metadata[path], reason)

    def _note_remarks(self, batch: Batch) -> None:
        """Note what is to be said of how pictures were read, until they are counted."""
        for path, sha256 in batch.sha256s.items():
            result = batch.results.get(sha256)
            if isinstance(result, Picture) and result.remark:
                self.remarks[path] = result.remark

    def _count_one(
        self, path: str, image: StoredImage | None, texts: Metadata, reason: str
    ) -> None:
        """Note what became of a picture and its texts; the reason is why it is not stored."""
        remark = self.remarks.pop(path, "")
        if image is None:
            self.report.refuse(path, reason, texts)
        elif self._is_taken(path, image):
            near_duplicate = image.image.near_duplicate_of_id is not None
            self.report.take(path, texts, near_duplicate=near_duplicate, remark=remark)
        else:
            self.report.know(path, texts)

    def _is_taken(self, path: str, stored: StoredImage) -> bool:
        """Whether this import brought the image by this path, perhaps before it was killed."""
        image = stored.image
        brought = image.imported_by_id == self.record.pk and image.source == images.cut_source(path)
        return stored.new or brought


def _stored(batch: Iterable[tuple[str, int]]) -> list[Stored]:
    """Return (path, picture) of those whose tiles are still there."""
    paths = list(batch)
    tiles = Tile.objects.select_related("image").in_bulk([tile for _, tile in paths])
    return [
        (path, StoredImage(tiles[tile].image, tiles[tile], new=False))
        for path, tile in paths
        if tile in tiles
    ]


def _ask(
    project: Project,
    stored: Sequence[tuple[str, StoredImage]],
    metadata: Mapping[str, Metadata],
    plan: Plan,
    changed: Mapping[Pair, Change],
    boxes: Sequence[box_tiles.Labelled],
) -> None:
    """Ask about the concepts that the source states; the rest stays implicit."""
    stated = {
        (box.tile, plan.by_key[box.key].pk): box.confidence
        for box in boxes
        if box.key in plan.by_key
    }
    for path, image in stored:
        if image.image.cut_into:  # it is not asked about as a whole
            continue
        confidence = image.image.import_confidence
        if of_own_folder := plan.class_of(path):
            stated[image.tile.pk, of_own_folder.pk] = confidence
        for keyword in metadata[path].keywords:
            if concept := plan.by_key.get(name_key(keyword)):
                stated[image.tile.pk, concept.pk] = confidence
    questions.ask_pairs(project=project, pairs=stated.keys(), stated=stated, changed=changed)
