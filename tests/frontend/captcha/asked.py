"""What the last attempt asks."""

from labeling.captcha import attempts
from labeling.models import Attempt
from tests.labeling.captcha import birds, sentences


def shown(number: int) -> list[int]:
    """Return which tiles of a round of the last attempt show a bird, from 1."""
    attempt = Attempt.objects.filter(state="asked").latest("created_at")
    birds.look(attempt)
    known = attempt.known[attempts.part_of_round(attempt, number)]
    return [place for place, probability in enumerate(known, 1) if probability > 0.5]


def right_choices(number: int) -> list[int]:
    """Return what somebody chooses in a round of the last attempt who reads its sentences."""
    attempt = Attempt.objects.filter(state="asked").latest("created_at")
    birds.look(attempt, seconds=60)
    return sentences.read(attempt, number)
