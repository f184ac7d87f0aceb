"""Batches of pictures → images, what is stated of them, and questions: a transaction each."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace

from django.db import transaction

from labeling import concepts as all_concepts
from labeling import images
from labeling.decoding import ImageRejected, Picture
from labeling.images import NewImage
from labeling.images.duplicates import DuplicateIndex
from labeling.imports import (
    batch_statements,
    box_tiles,
    gold,
    pairs,
    plans,
    shares,
    stated_captions,
    statements,
)
from labeling.imports.asking import Stored, ask, pictures_of
from labeling.imports.entries import Kind
from labeling.imports.metadata import Metadata
from labeling.imports.options import Options
from labeling.imports.plans import Plan
from labeling.imports.read_ahead import Batch
from labeling.imports.report import Report
from labeling.imports.share_outcomes import Unseen
from labeling.imports.shares import Held
from labeling.imports.source_index import SourceIndex
from labeling.imports.tally import DELETED, Tally
from labeling.imports.text_sources import TextSources
from labeling.models import Image, Import, ImportStatement
from labeling.restating import Change, Pair, Watch


class BatchImporter:
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
        self.tally = Tally(record)
        self.are_pairs = Options.of(record.options).pairs
        self.pair_concept = pairs.concept_of(record)

    def begin(self, held: Held) -> None:
        """Turn to a share."""
        self.held, self.report = held, held.outcome.report
        self.tally.report = self.report
        self.text_sources.vendors = held.outcome.vendors

    def import_batch(self, held: Held, batch: Batch) -> None:
        """Import a batch of a share, and count what became of it once it is committed.

        What was removed since it was read is stored again: undoing one import disturbs no other.
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
            ask(self.project, seen, metadata, self.plan, changed, boxes)
            self._ask_captions(seen, rows_of, added.rows)
        self._retract({image.image.pk for _, image in seen} & added.rows.keys())
        for retracted in added.retracted:
            self.report.retract(*retracted)
        self._attach_gold(seen, metadata)
        self.tally.note_remarks(batch)
        later = self._put_by(stored, seen, metadata)
        self.tally.count(batch, dict(stored), metadata, later)
        return gone

    def _note_pairs(self, stored: Sequence[Stored], metadata: Mapping[str, Metadata]) -> None:
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
                remark = self.tally.remarks.pop(path, "")
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
        stored = pictures_of((each.path, each.tile) for each in unseen.values())
        metadata = {path: unseen[path].restore(self.index.metadata(path)) for path in unseen}
        with transaction.atomic():
            shares.hold(held)
            self.plan = plans.held(self.plan, self.project)
            ask(self.project, stored, metadata, self.plan, {}, held.outcome.boxes)
            self.text_sources.ensure(metadata.values())
            rows_of = self._statements(stored, metadata)
            kept = statements.by_image([image.pk for image in rows_of])
            self._ask_captions(stored, rows_of, kept)
        self._retract(kept.keys())
        self._attach_gold(stored, metadata)
        rows = dict(stored)
        for path, each in unseen.items():
            if each.is_counted_later:
                self.tally.remarks[path] = each.remark
                self.tally.count_one(path, rows.get(path), metadata[path], DELETED)
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

    def _attach_gold(self, stored: Sequence[Stored], metadata: Mapping[str, Metadata]) -> None:
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

    def _store(self, batch: Batch, metadata: Mapping[str, Metadata]) -> list[Stored]:
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
        self, stored: Sequence[Stored], metadata: Mapping[str, Metadata]
    ) -> dict[Image, list[ImportStatement]]:
        """Return what the source says of each image, in the order of its files."""
        return batch_statements.of_batch(
            self.record, self.plan, self.text_sources, stored, metadata
        )

    def _save(self, added: statements.Added, stored: Sequence[Stored]) -> dict[Pair, Change]:
        """Save images as the source describes them now; return what that changes of concepts."""
        if not added.restated:
            images.save_statements(added.changed, statements.ROW)
            return {}
        tiles = {image.image.pk: image.tile.pk for _, image in stored}
        watch = Watch(self.project, [tiles[image.pk] for image in added.restated])
        images.save_statements(added.changed, statements.ROW)
        return watch.changes()
