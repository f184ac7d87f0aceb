"""Every service whose change matters writes a readable sentence into the history."""

from types import SimpleNamespace

import pytest
from django.core.management import call_command

from labeling import (
    comments,
    concepts,
    decisions,
    examples,
    exports,
    gold,
    members,
    merging,
    projects,
    removal,
    review,
    snapshots,
)
from labeling.captcha import sites
from labeling.imports import undo
from labeling.models import Event, Import, Question
from tests.pictures import png

pytestmark = pytest.mark.django_db
Kind = Event.Kind


@pytest.fixture
def cast(shapes, ada, alice, carol, settings, tmp_path):
    """Return a project, who works in it, and what the services are called with."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    (folder / "1.png").write_bytes(png(777))
    circle = shapes.concepts.get(name="circle")
    return SimpleNamespace(
        project=shapes, by=ada, alice=alice, carol=carol, circle=circle, folder=folder, out=tmp_path
    )


def open_questions(cast):
    rows = Question.objects.filter(project=cast.project, concept=cast.circle, state="open")
    return rows.select_related("tile__image__project", "concept__project", "project").order_by("pk")


def take_import(cast):
    call_command("import_images", str(cast.folder), project=cast.project.slug, concepts="star")


def undo_import(cast):
    undo.undo(Import.objects.latest("pk"), cast.by)


def remove_pictures(cast):
    removal.remove([cast.project.images.latest("pk")], by=cast.by, reason="private")


def add_concept(cast):
    concepts.create(project=cast.project, name="star", by=cast.by)


def change_concept(cast):
    concepts.edit(
        concept=cast.project.concepts.get(name="star"), definition="It shines.", by=cast.by
    )


def merge_concepts(cast):
    star = cast.project.concepts.get(name="star")
    merging.merge(concept=star, into=cast.circle, by=cast.by)


def delete_concept(cast):
    concepts.delete(concepts.create(project=cast.project, name="moon"), by=cast.by)


def choose_example(cast):
    question = open_questions(cast).last()
    examples.choose(concept=cast.circle, tile=question.tile, kind="yes", by=cast.by)


def mark_gold(cast):
    gold.mark(tile=open_questions(cast).last().tile, concept=cast.circle, value=True, by=cast.by)


def unmark_gold(cast):
    question = Question.objects.filter(concept=cast.circle, state="gold").first()
    gold.unmark(question=question, by=cast.by, settle=True)


def decide(cast):
    review.decide(question=open_questions(cast).first(), value=True, by=cast.by)


def decide_many(cast):
    seen = {question.pk: None for question in open_questions(cast)[:3]}
    decisions.decide_many(project=cast.project, choice="no", seen=seen, by=cast.by)


def undo_decisions(cast):
    batch = decisions.undoable(project=cast.project, by=cast.by)
    decisions.undo(batch=batch, by=cast.by)


def resolve_flag(cast):
    tile = open_questions(cast).first().tile
    flag, _ = comments.flag(tile=tile, kind="broken", user=cast.by)
    comments.resolve(comment=flag, by=cast.by)


def block(cast):
    review.block(annotator=cast.alice, by=cast.by)


def unblock(cast):
    review.unblock(annotator=cast.alice, by=cast.by)


def invite(cast):
    cast.token = members.invite(project=cast.project, role="viewer", by=cast.by)[1]


def join(cast):
    cast.membership = members.accept(token=cast.token, user=cast.carol)


def change_role(cast):
    members.change_role(membership=cast.membership, role="trainer", by=cast.by)


def end_membership(cast):
    members.remove(membership=cast.membership, by=cast.by)


def change_settings(cast):
    projects.edit(project=cast.project, by=cast.by, version=None, settle_at=0.9)


def unpublish(cast):
    projects.unpublish(project=cast.project, by=cast.by)


def publish(cast):
    projects.publish(project=cast.project, by=cast.by)


def archive(cast):
    projects.archive(project=cast.project, by=cast.by)


def add_site(cast):
    cast.site, _ = sites.create(
        project=cast.project, by=cast.by, name="The shop", hosts=["shop.example.com"]
    )


def change_site(cast):
    sites.change(site=cast.site, by=cast.by, hosts=["*.example.com"])


def switch_site_off(cast):
    sites.change(site=cast.site, by=cast.by, active=False)


def rotate_secret(cast):
    sites.rotate_secret(site=cast.site, by=cast.by)


def end_old_secrets(cast):
    sites.revoke_old_secrets(site=cast.site, by=cast.by)


def freeze(cast):
    cast.snapshot = snapshots.freeze(project=cast.project)


def export(cast):
    out = cast.out / "export"
    exports.export_snapshot(snapshot=cast.snapshot, format="imagefolder", out=out, by=cast.by)


SERVICES = [  # in this order: some need what others made
    (take_import, Kind.IMPORT, "Imported "),
    (undo_import, Kind.IMPORT, "Took back the import "),
    (remove_pictures, Kind.IMPORT, "Removed 1 picture with "),
    (add_concept, Kind.CONCEPT, "Added the concept “star”"),
    (change_concept, Kind.CONCEPT, "Changed the concept “star”: definition"),
    (merge_concepts, Kind.CONCEPT, "“star” into “circle”"),
    (delete_concept, Kind.CONCEPT, "“moon”"),
    (choose_example, Kind.CONCEPT, "as an example"),
    (mark_gold, Kind.GOLD, "is gold: yes"),
    (unmark_gold, Kind.GOLD, "is gold no longer"),
    (decide, Kind.DECISION, "Decided “a circle”: yes"),
    (decide_many, Kind.DECISION, "Decided no: 3 questions"),
    (undo_decisions, Kind.DECISION, "Undid: decided no: 3 questions"),
    (resolve_flag, Kind.DECISION, "Resolved “broken picture”"),
    (block, Kind.ANNOTATOR, "Blocked alice"),
    (unblock, Kind.ANNOTATOR, "Unblocked alice"),
    (invite, Kind.MEMBERS, "Invited one person by link as viewer"),
    (join, Kind.MEMBERS, "“carol” joined as viewer"),
    (change_role, Kind.MEMBERS, "Made “carol” trainer, who was viewer"),
    (end_membership, Kind.MEMBERS, "Removed “carol”, who was trainer"),
    (change_settings, Kind.PROJECT, "Changed “A label is certain from”"),
    (unpublish, Kind.PROJECT, "back to a draft"),
    (publish, Kind.PROJECT, "Published the project"),
    (add_site, Kind.PROJECT, "Added the site “The shop”: shop.example.com"),
    (change_site, Kind.PROJECT, "Changed the site “The shop”: host names"),
    (switch_site_off, Kind.PROJECT, "Switched off the site “The shop”"),
    (rotate_secret, Kind.PROJECT, "Replaced the secret of the site “The shop”"),
    (end_old_secrets, Kind.PROJECT, "Ended the old secrets of the site “The shop”"),
    (freeze, Kind.SNAPSHOT, "is ready"),
    (export, Kind.SNAPSHOT, "Exported snapshot "),
    (archive, Kind.PROJECT, "Archived the project"),
]


def test_each_service_writes_a_sentence(cast):
    for service, kind, words in SERVICES:
        last = Event.objects.values_list("pk", flat=True).first() or 0
        service(cast)
        written = Event.objects.filter(pk__gt=last, kind=kind)
        sentences = [event.message for event in written]
        assert any(words in each for each in sentences), (service.__name__, sentences)
        for each in sentences:
            assert each[0].isupper() or each[0] == "“", each
            assert each.rstrip()[-1] in ".!?”" or kind == Kind.IMPORT, each
