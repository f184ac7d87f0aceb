"""Requests and answers around a challenge."""

from typing import Any

from rest_framework import serializers

from labeling.api.bodies import Body
from labeling.api.fields import DIRECTIONS, Number, Seconds, YesOrNo
from labeling.models import Challenge

RESULT_STATES = "open", "settled", "ambiguous"  # of a question, as far as it is shown


class ChallengeIn(Body):
    project = serializers.SlugField(max_length=60)
    kind = serializers.ChoiceField(
        choices=Challenge.Kind.choices, allow_null=True, required=False, default=None
    )
    ahead = YesOrNo(
        required=False, default=False, help_text="To be answered offline, within hours."
    )


class AnswerIn(Body):
    """`selected` for grid and split, `yes` for verify, `text` for write, `choice` for text."""

    selected = serializers.ListField(
        child=Number(min_value=1, max_value=16), max_length=16, required=False
    )
    yes = YesOrNo(required=False)
    text = serializers.CharField(required=False, max_length=1000, trim_whitespace=False)
    choice = Number(
        min_value=0,
        max_value=2,
        required=False,
        help_text="The number of the sentence that says the same; 0: neither does.",
    )
    seconds = Seconds(required=False, allow_null=True)


class Progress(serializers.Serializer[Any]):
    answers = serializers.IntegerField(help_text="By this annotator.")
    labels = serializers.IntegerField(
        help_text="How often a label became certain with one of those answers."
    )


class ChallengeAhead(serializers.Serializer[Any]):
    token = serializers.CharField()
    expires_in = serializers.IntegerField(help_text="Seconds.")


class FetchedAheadOut(serializers.Serializer[Any]):
    limit = serializers.IntegerField(help_text="How many may be fetched ahead at once.")
    challenges = ChallengeAhead(many=True)


class ChallengeTile(serializers.Serializer[Any]):
    number = serializers.IntegerField()
    url = serializers.CharField()


class ChallengeSentence(serializers.Serializer[Any]):
    number = serializers.IntegerField()
    text = serializers.CharField()
    lang = serializers.CharField(help_text="Language tag of the project.")
    dir = serializers.ChoiceField(choices=DIRECTIONS)


class ChallengeOut(serializers.Serializer[Any]):
    token = serializers.CharField()
    kind = serializers.ChoiceField(choices=Challenge.Kind.choices)
    columns = serializers.IntegerField()
    before = serializers.CharField()
    subject = serializers.CharField(allow_blank=True)
    after = serializers.CharField(allow_blank=True)
    asked_in = serializers.CharField(help_text="Language tag of what is before and after.")
    lang = serializers.CharField(
        help_text="Language tag of the subject, or of the sentence that is to be written."
    )
    dir = serializers.ChoiceField(
        choices=DIRECTIONS, help_text="In which direction the subject is written."
    )
    concept = serializers.IntegerField(allow_null=True, help_text="The id of what is asked about.")
    guide = serializers.CharField(
        allow_blank=True, help_text="The address where the concept is explained."
    )
    guide_version = serializers.CharField(
        allow_blank=True, help_text="Changes with the guide; empty: it says nothing."
    )
    tiles = ChallengeTile(many=True, help_text="None where it asks by sentences alone.")
    sentences = ChallengeSentence(many=True, help_text="The options of a text challenge.")
    expires_in = serializers.IntegerField(help_text="Seconds.")
    attribution = serializers.CharField(allow_blank=True)
    progress = Progress()


class OutcomeOut(serializers.Serializer[Any]):
    recorded = serializers.IntegerField(help_text="Answers.")
    settled = serializers.IntegerField(help_text="Labels that became certain.")
    disputed = serializers.IntegerField(help_text="Questions on which people agree less now.")
    message = serializers.CharField()
    progress = Progress()
    result_in = serializers.IntegerField(
        help_text="Seconds until the result is there: until the answer can be undone no more."
    )


class SkipIn(Body):
    reason = serializers.ChoiceField(
        choices=Challenge.SkipReason.choices,
        required=False,
        allow_blank=True,
        default="",
        help_text="What is the matter, for those who review the project.",
    )


class SkippedOut(serializers.Serializer[Any]):
    progress = Progress()


class VotesOut(serializers.Serializer[Any]):
    yes = serializers.IntegerField()
    no = serializers.IntegerField()


class TileResultOut(serializers.Serializer[Any]):
    number = serializers.IntegerField()
    selected = serializers.BooleanField(
        allow_null=True, help_text="What you answered; null: you were not asked about it."
    )
    others = VotesOut(
        allow_null=True, help_text="Other people's answers, at most five of a kind; null: hidden."
    )
    model = serializers.BooleanField(
        allow_null=True, help_text="What the model says; null: not shown, or it says nothing."
    )
    state = serializers.ChoiceField(
        choices=RESULT_STATES,
        help_text="What became of the question; open, too, where it is not shown.",
    )


class ResultOut(serializers.Serializer[Any]):
    """What came of an answer. Of most tiles nothing is shown before a day is over."""

    tiles = TileResultOut(many=True)
    message = serializers.CharField(allow_blank=True)
    generated = serializers.BooleanField(help_text="Whether a model drew the picture.")


class UndoneOut(serializers.Serializer[Any]):
    expires_in = serializers.IntegerField(
        help_text="Seconds in which to answer it again; 0: its pictures are gone."
    )
    progress = Progress()
