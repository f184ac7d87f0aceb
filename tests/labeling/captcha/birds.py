"""What the project `wood` knows, and visitors of a site who answer about it."""

from collections.abc import Callable
from datetime import timedelta

from labeling import questions
from labeling.captcha import attempts
from labeling.captcha.attempts import Step
from labeling.models import Attempt, Concept, Project, Question, Site, Tile
from tests.labeling import meadow

HOST = "shop.example"


def thing(project: Project, name: str = "bird") -> Concept:
    return Concept.objects.get_or_create(
        project=project, name=name, defaults={"phrase": f"a {name}"}
    )[0]


def add_known(project: Project, *, yes: int, no: int, name: str = "bird") -> list[Tile]:
    """Add pictures that are gold: so many show a bird, and so many do not."""
    tiles = meadow.add_pictures(project, yes + no)
    questions.ask_concepts(tiles=tiles, concepts=[thing(project, name)])
    for truth, some in ((True, tiles[:yes]), (False, tiles[yes:])):
        Question.objects.filter(tile__in=some).update(
            state="gold", verdict=truth, probability=truth
        )
    return tiles


def add_open(project: Project, count: int) -> list[Tile]:
    """Add pictures of which nobody knows whether they show a bird."""
    tiles = meadow.add_pictures(project, count)
    questions.ask_concepts(tiles=tiles, concepts=[thing(project)])
    Question.objects.filter(tile__in=tiles).update(priority=1.0)
    return tiles


def begin(site: Site, address: str = "192.0.2.1", door: str = "grid") -> Attempt:
    return attempts.begin(site=site, host=HOST, door=door, address=address)


def look(attempt: Attempt, seconds: float = 10) -> None:
    """Let time pass as if the visitor had looked at what is shown."""
    name = "answered_at" if attempt.answered_at else "created_at"
    before = getattr(attempt, name) - timedelta(seconds=seconds)
    Attempt.objects.filter(pk=attempt.pk).update(**{name: before})
    attempt.refresh_from_db()


def answer(attempt: Attempt, says: Callable[[int], bool], number: int = 1) -> Step:
    """Answer a round after a look at it; says: what is answered to a question, by its place."""
    look(attempt)
    part = attempts.part_of_round(attempt, number)
    places = range(len(attempt.questions))[part]
    selected = [shown for shown, place in enumerate(places, 1) if says(place)]
    return attempts.answer(attempt, number=number, selected=selected)


def truth(attempt: Attempt) -> Callable[[int], bool]:
    """Return what somebody says who is always right, and says no where nothing is known."""
    return lambda place: attempt.known[place] > 0.5


def pass_at(site: Site, address: str = "192.0.2.1", *, unknown: bool = False) -> str:
    """Pass, and return the response; unknown: what is said where nothing is known."""
    attempt = begin(site, address)
    right = truth(attempt)

    def says(place: int) -> bool:
        return unknown if attempt.known[place] < 0 else right(place)

    step = answer(attempt, says)
    if not step.response:
        attempt.refresh_from_db()
        step = answer(attempt, says, 2)
    return step.response
