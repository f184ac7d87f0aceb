"""An installation in which every page has something to show, and the addresses of its pages."""

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from django.utils import timezone

from tests.pictures import plain
from tests.site_visits import visit

if TYPE_CHECKING:
    from django.contrib.auth.models import User

    from labeling.models import Project
    from training.models import Model, Run

# Names of addresses that answer with something other than a page to read, and of pages that
# `tests.frontend.test_own_pages` looks at, since each needs something of its own.
NO_PAGES = """
javascript-catalog set_language offline-worker token-revoke
favicon.ico robots.txt schema project-tile project-tile-large project-import-report
project-export-download
project-history-csv project-run-live project-run-log project-run-report project-run-sample
project-sample project-compare-live project-train-outlook take_part set_up showcase_picture
withdraw forget-me account-email account-email-confirm password_reset password_reset_done
password_reset_confirm password_reset_complete openid openid-callback sign-in-link
captcha-recaptcha recaptcha/enterprise.js
captcha-hcaptcha 1/api.js captcha/1/api.js captcha-tessera captcha-frame captcha-sheet
captcha-verify-recaptcha captcha-verify-hcaptcha recaptcha/enterprise/siteverify
captcha/siteverify captcha-worker
"""
LONG_WORD = "Donaudampfschiffahrtselektrizitaetenhauptbetriebswerkbauunterbeamtengesellschaft"
ARABIC = "صور الطيور والنباتات في حديقة المدينة الكبيرة قرب البحيرة الشمالية"
CHINESE = "城市公园湖边的鸟类植物与昆虫照片标注项目第二期扩展版本"


class PageAddress(NamedTuple):
    """A page of the product: its URL pattern's name and a row's address."""

    name: str
    path: str


def fill(shapes: "Project", owner: "User", folder: Path, answer: Callable[..., None]) -> None:
    """Give a project of circles, squares and scenes something of everything that is shown."""
    _rename(shapes)
    _fill_labels(shapes, owner, answer)
    _fill_people(shapes, owner)
    _fill_webhooks(shapes, owner)
    _fill_sites(shapes, owner)
    _fill_imports(shapes, owner)
    _fill_models(shapes, folder)


def _fill_webhooks(shapes: "Project", owner: "User") -> None:
    """Make a webhook with something that could not be delivered."""
    from labeling import webhooks

    url = f"https://example.org/{LONG_WORD}"
    hook = webhooks.create(project=shapes, url=url, events=["label.settled"], by=owner)
    delivery = webhooks.ping(hook=hook)
    delivery.attempts, delivery.error = 2, "There is no host of this name."
    delivery.save()


def _fill_sites(shapes: "Project", owner: "User") -> None:
    """Make a site with visitors through each door, and one that is switched off."""
    from labeling.captcha import sites

    hosts = [f"{LONG_WORD[:60]}.example.com", "*.example.org", "localhost"]
    site, _ = sites.create(project=shapes, by=owner, name=f"{ARABIC[:30]}", hosts=hosts)
    sites.rotate_secret(site=site, by=owner)
    off, _ = sites.create(project=shapes, by=owner, name=LONG_WORD[:60], hosts=["a.example"])
    sites.change(site=off, by=owner, active=False)
    now = timezone.now()
    for hours in range(40):
        at = now - timedelta(hours=5 * hours)
        door = ("grid", "grid", "text", "work")[hours % 4]
        state = "failed" if hours % 7 == 0 else "passed"
        seconds = (7.5 + hours % 5, 4.0)[: 1 + hours % 2]
        visit(site, at=at, door=door, state=state, seconds=seconds, labels=hours % 3)
    visit(site, at=now, state="failed", seconds=(0.2, 0.2), suspected=True)
    visit(site, at=now, door="open", seconds=())


def addresses(shapes: "Project") -> Iterator[PageAddress]:
    """Return every page of every kind, a row of each kind of row among them."""
    from django.urls import reverse

    names = (
        "api-reference home login sign_up account account-delete your_answers withdraw projects "
        "project-new draw"
    )
    yield from (PageAddress(name, reverse(name)) for name in names.split())
    names = """project project-settings project-pictures project-labels
    project-concepts project-instructions project-gold project-parts
    project-people project-history project-annotators project-flags project-models
    project-snapshots project-train project-compare project-exports project-webhooks
    project-captcha"""
    yield from (PageAddress(name, reverse(name, args=[shapes.slug])) for name in names.split())
    agreement = reverse("project-agreement", args=[shapes.slug])
    yield PageAddress("project-agreement", f"{agreement}?least=1")
    merged = "&".join(f"concept={pk}" for pk in shapes.concepts.values_list("pk", flat=True))
    merge = reverse("project-concepts-merge", args=[shapes.slug])
    yield PageAddress("project-concepts-merge", f"{merge}?{merged}")
    for name, key in _rows(shapes):
        yield PageAddress(name, reverse(name, args=[shapes.slug, key]))


def _rows(shapes: "Project") -> Iterator[tuple[str, int]]:
    """Return the names of pages of one row, each with a row of theirs."""
    from labeling.models import Answer, Question

    picture = shapes.images.order_by("pk")[0]
    for name in ("project-picture", "project-image-labels"):
        yield name, picture.pk
    answered = Answer.objects.order_by("pk")[0]
    yield "project-annotator", answered.annotator_id
    for question in (answered.question, Question.objects.filter(kind="caption")[0]):
        yield "project-question", question.pk
    for name in ("concept", "gold-wall", "gold-proposals", "gold-session", "gold-parts"):
        yield f"project-{name}", shapes.concepts.order_by("name")[0].pk
    for record in shapes.imports.all():
        yield "project-import", record.pk
    for record in shapes.imports.filter(state="done"):
        yield "project-import-undo", record.pk
    for name in ("site", "site-privacy"):
        yield f"project-{name}", shapes.sites.all()[0].pk
    for snapshot in shapes.snapshots.all():
        yield "project-snapshot", snapshot.pk
    newest = shapes.snapshots.filter(state="ready")[0]
    yield "project-snapshot-difference", newest.pk
    for run in shapes.runs.all():
        yield "project-run", run.pk
    for model in shapes.models.all():
        yield "project-model", model.pk


def _rename(shapes: "Project") -> None:
    """Give the project and its concepts names that are hard to fit."""
    shapes.name = f"{ARABIC[:30]} {LONG_WORD}"
    shapes.instructions = f"Look twice.\n\n- {LONG_WORD}\n- {CHINESE}"
    shapes.save()
    for concept, name in zip(shapes.concepts.order_by("name"), (LONG_WORD, ARABIC), strict=True):
        concept.name, concept.phrase = name, name
        concept.save()


def _fill_labels(shapes: "Project", owner: "User", answer: Callable[..., None]) -> None:
    """Answer, disagree, flag, skip, decide with a note, remark, and pick an example."""
    from labeling import challenges, comments, examples, exclusion_rules, review
    from labeling.models import Annotator, Question

    alice, bob = (Annotator.objects.get(pseudonym=name) for name in ("alice", "bob"))
    questions = list(Question.objects.filter(kind="concept", state="open", grid=1)[:6])
    for annotator, value in ((alice, True), (bob, False)):
        answer(annotator, {question.pk: value for question in questions})
    first, second = questions[:2]
    comments.flag(tile=first.tile, kind="broken", text=LONG_WORD, question=first, annotator=bob)
    skipped = challenges.issue(annotator=bob, project=shapes, kind="verify")
    if skipped is not None:
        challenges.skip(challenge=skipped, reason="cut_off")
    comments.remark(question=first, text=f"{ARABIC} {LONG_WORD}", by=owner)
    review.decide(question=second, value=True, by=owner, note=f"It shows it. {LONG_WORD}")
    example = {"tile": first.tile, "kind": "hard_yes", "note": LONG_WORD}
    examples.choose(concept=shapes.concepts.order_by("name")[0], by=owner, **example)
    one, other = shapes.concepts.order_by("name")
    exclusion_rules.state(concept=one, other=other, together=False, by=owner)


def _fill_people(shapes: "Project", owner: "User") -> None:
    """Add members in every role, with names in several scripts, and invitations."""
    from django.contrib.auth.models import User

    from labeling import members
    from labeling.models import Membership, Role

    people = ("olga", ARABIC.replace(" ", "_"), LONG_WORD, CHINESE, "vera")
    for name, role in zip(people, Role.values, strict=True):
        user = User.objects.create_user(name)
        Membership.objects.create(project=shapes, user=user, role=role)
    Membership.objects.create(project=shapes, user=owner, role=Role.OWNER)
    members.invite(project=shapes, role=Role.REVIEWER, by=owner)


def _fill_imports(shapes: "Project", owner: "User") -> None:
    """Add an import that is done, with files refused, and one whose concepts are to be chosen."""
    from django.core.files.base import ContentFile

    from labeling.models import Import

    done = Import.objects.create(
        project=shapes,
        name=f"{LONG_WORD} {ARABIC}",
        state=Import.State.DONE,
        pictures=26,
        done=26,
        counts={"imported": 24, "known": 1, "refused": 1},
        requested_by=owner,
    )
    report = f"path,outcome,reason\n{LONG_WORD}.png,refused,It is no picture.\n"
    done.report.save("report.csv", ContentFile(report.encode()))
    shapes.images.filter(source__contains="red").update(imported_by=done)
    _fill_files_of_answers(shapes, owner)
    candidates = [
        {
            "name": name,
            "key": name,
            "pictures": 9,
            "keywords": 7,
            "folders": 5,
            "spellings": [name.upper()],
            "concept": None,
            "ticked": True,
        }
        for name in (LONG_WORD, ARABIC, "owl")
    ]
    Import.objects.create(
        project=shapes,
        name="birds",
        state=Import.State.CHOOSING,
        candidates=candidates,
        candidates_count=3,
        decisions=[
            {
                "group": group,
                "texts": 1_204,
                "kind": kind,
                "reason": "of the parts between commas, 87 % recur in other texts",
                "separator": "commas",
                "chosen": kind == "mixed",
            }
            for group, kind in ((".txt", "keywords"), (LONG_WORD, "captions"), (ARABIC, "mixed"))
        ],
        pictures=9,
        requested_by=owner,
    )


def _fill_files_of_answers(shapes: "Project", owner: "User") -> None:
    """Add a file of answers that was imported, and one of which the columns are to be chosen."""
    from labeling.models import Import

    row = {"where": "line 2", "task": f"{LONG_WORD}.png", "worker": ARABIC, "label": CHINESE}
    refused = {"where": "line 3", "column": "task", "reason": "it is no picture"}
    Import.objects.create(
        project=shapes,
        kind=Import.Kind.ANSWERS,
        name=f"{LONG_WORD}.csv",
        state=Import.State.CHOOSING,
        pictures=2,
        reading={
            "remark": "Read as a table: task = task; worker = worker; label = label.",
            "columns": ["task", "worker", "label", LONG_WORD],
            "sample": [row, refused],
        },
        requested_by=owner,
    )
    Import.objects.create(
        project=shapes,
        kind=Import.Kind.GOLD,
        name="gold.csv",
        state=Import.State.DONE,
        pictures=1,
        counts={
            "truths": {"read": 1, "new": 1, "known": 0, "refused": 0},
            "remarks": [f"Read as a gold list: task = {LONG_WORD}."],
        },
        requested_by=owner,
    )


def _fill_models(shapes: "Project", folder: Path) -> None:
    """Add a run under way, one that failed, a current model, and a candidate that was judged."""
    from labeling.models import Snapshot
    from training.models import Run

    counts = dict.fromkeys(("train", "test", "images", "captions", "answers", "generated"), 7)
    snapshot = Snapshot.objects.create(
        project=shapes, folder="snapshots/none", state=Snapshot.State.READY, counts=counts
    )
    rows = {"project": shapes, "snapshot": snapshot, "recipe": "diffusion", "preset": "cpu"}
    _write_run(folder / "run", name=(of_run := f"runs/of-{shapes.pk}"))
    Run.objects.create(**rows, state=Run.State.RUNNING, folder=of_run, step=3, steps=9, loss=0.33)
    Run.objects.create(**rows, state=Run.State.FAILED, error=f"No space left. {LONG_WORD}")
    metrics = {"r_precision@judge": 0.9, "near_copies": 0.25}
    for name, value in {"low": 0.85, "high": 0.95, "chance": 0.125, "real": 0.975}.items():
        metrics[f"r_precision@judge_{name}"] = value
    runs = [Run.objects.create(**rows, state=Run.State.SUCCEEDED, metrics=metrics) for _ in "ab"]
    current = _model(runs[0], current=True, accepted=True)
    judge = {"name": "r_precision@judge", "new": 0.9, "current": 0.7, "difference": 0.2}
    judge |= {"low": -0.31, "high": 0.71, "margin": 0.05, "n": 60, "says": "cannot tell"}
    verdict = {"promoted": False, "why": "They are too close to call.", "judges": [judge]}
    _model(runs[1], verdict=verdict | {"baseline": current.pk, "answers": 21})


def _write_run(folder: Path, *, name: str) -> None:
    from labeling import stored_folders

    (folder / "samples").mkdir(parents=True)
    (folder / "samples" / "000500.png").write_bytes(plain())
    (folder / "prompts.json").write_text(json.dumps([LONG_WORD]))
    (folder / "log.txt").write_text(f"{LONG_WORD} {ARABIC}\n")
    lines = [{"step": n, "steps": 9, "loss": 1 / n, "stage": "train"} for n in (1, 2, 3)]
    (folder / "progress.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    stored_folders.put(folder, name)


def _model(run: "Run", **fields: object) -> "Model":
    from tests.training.studio import store
    from training import run_folders
    from training.models import Model, Promotion

    store({"config.json": "{}"}, name=(name := run_folders.model_name_of(run)))
    row = Model.objects.create(
        project=run.project,
        run=run,
        recipe=run.recipe,
        folder=name,
        suggestions=[LONG_WORD, "a circle"],
        **fields,
    )
    if row.current:
        Promotion.objects.create(
            project=run.project, recipe=run.recipe, model=row, reason="It is the first one."
        )
    return row
