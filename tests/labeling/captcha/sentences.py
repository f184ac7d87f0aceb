"""Pictures without files that are described in two sentences, and who reads them."""

from django.utils import timezone

from labeling import questions
from labeling.captcha import text_rounds
from labeling.captcha.text_rounds import TextRounds
from labeling.models import Attempt, Project, Question, Site, Tile
from tests.labeling import meadow

_SYLLABLES = "badefigohujakelimonuparesitovu"


def word(number: int) -> str:
    """Return a word that no other number has."""
    syllables, rest = "", number + 1
    while rest:
        rest, digit = divmod(rest, len(_SYLLABLES) // 2)
        syllables += _SYLLABLES[2 * digit :][:2]
    return f"{syllables}x"


def sentence(tile: Tile) -> str:
    return f"a {word(tile.pk)} is standing on the {word(tile.pk + 7000)}"


def same(tile: Tile) -> str:
    """Return the same in other words."""
    return f"on the {word(tile.pk + 7000)} stands a {word(tile.pk)}"


def describe(project: Project, count: int) -> list[Tile]:
    """Add pictures of each of which a reviewer decided that its sentence is true."""
    tiles = meadow.add_pictures(project, count)
    _decide(_ask(tiles, sentence), state="settled", verdict=True)
    return tiles


def add_true(tiles: list[Tile], **state: object) -> list[Question]:
    """Say the same of pictures in other words; it is gold unless the state says otherwise."""
    return _decide(_ask(tiles, same), **{"state": "gold", "verdict": True, **state})


def add_false(tiles: list[Tile]) -> list[Question]:
    """Say of pictures what is known to be false."""
    false = _ask(tiles, lambda tile: f"no {word(tile.pk + 90_000)} at all")
    return _decide(false, state="gold", verdict=False)


def add_open(tiles: list[Tile]) -> list[Question]:
    """Say of pictures what nobody has judged."""
    return _ask(tiles, lambda tile: f"{same(tile)} today")


def attempt_of(rounds: TextRounds, site: Site) -> Attempt:
    """Return an attempt that asks this, as it is stored."""
    values = {name: getattr(rounds, name) for name in ("questions", "tiles", "reasons", "known")}
    return Attempt(
        site=site,
        door="text",
        host="shop.example",
        sentences=rounds.sentences,
        predicted=rounds.predicted,
        first_round=rounds.first_round,
        **values,
    )


def read(attempt: Attempt, number: int) -> list[int]:
    """Answer a round as somebody who reads what is shown, and nothing else."""
    return [_choice(item) for item in text_rounds.items(attempt, number)]


def _choice(item: dict[str, object]) -> int:
    reference, options = str(item["subject"]), item["options"]
    assert isinstance(options, list)
    words = {word for word in reference.split() if word.endswith("x")}
    alike = [n for n, option in enumerate(options, 1) if words <= set(option.split())]
    return alike[0] if alike else 0


def _ask(tiles: list[Tile], text: object) -> list[Question]:
    assert callable(text)
    captions = [(tile, text(tile)) for tile in tiles]
    questions.ask_captions(captions=captions, source="import", prior=0.9)
    rows = Question.objects.filter(tile__in=tiles, text__in=[text for _, text in captions])
    return list(rows.order_by("tile"))


def _decide(asked: list[Question], **state: object) -> list[Question]:
    verdict = state.get("verdict")
    state = {"probability": 0.98 if verdict is None else float(bool(verdict)), **state}
    ids = [each.pk for each in asked]
    Question.objects.filter(pk__in=ids).update(settled_at=timezone.now(), **state)
    return asked
