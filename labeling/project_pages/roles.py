"""What each role in a project may do, in words."""

from django.utils.translation import gettext_lazy as _

from labeling import access
from labeling.access import Capability
from labeling.models import Role

NAMES = {
    Role.OWNER: _("owner"),
    Role.REVIEWER: _("reviewer"),
    Role.TRAINER: _("trainer"),
    Role.ANNOTATOR: _("annotator"),
    Role.VIEWER: _("viewer"),
}
MEANINGS = {
    Role.OWNER: _(
        "You may do everything: add pictures and concepts, change settings, publish, and decide "
        "who belongs to the project."
    ),
    Role.REVIEWER: _(
        "You see all pictures and labels, decide what is true of them, mark gold, and block people "
        "whose answers are bad."
    ),
    Role.TRAINER: _(
        "You see all pictures and labels, make snapshots of them, train models and compare them."
    ),
    Role.ANNOTATOR: _("You answer questions about the project's pictures."),
    Role.VIEWER: _("You see all pictures, labels, models and the history, and change nothing."),
}
_CAPABILITIES = {
    Capability.ANNOTATE: "Answer questions, also while the project is private",
    Capability.VIEW: "See pictures, labels, agreement, models and the history",
    Capability.REVIEW: "Decide, mark gold, resolve flags, block annotators",
    Capability.TRAIN: "Make snapshots, start runs, promote models",
    Capability.MANAGE: "Pictures, concepts, settings, members, publishing",
}


def table() -> list[tuple[str, list[bool]]]:
    """Return what may be done, each with whether each role may, in the order of the roles."""
    return [
        (words, [capability in access.of_role(role) for role in Role])
        for capability, words in _CAPABILITIES.items()
    ]
