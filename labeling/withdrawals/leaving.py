"""Let somebody leave: their answers go with them, or stay under a name that says nothing."""

from django.db import transaction

from labeling.models import Annotator, Comment, Membership
from labeling.models.annotators import new_pseudonym
from labeling.withdrawals import captions, service


def forget(*, annotator: Annotator, keep_answers: bool, address: str = "") -> service.Withdrawn:
    """Forget who an annotator was; return what was withdrawn.

    keep_answers: their answers and captions stay, under a new random pseudonym that belongs to
    nobody; else all is withdrawn and the annotator is deleted. Either way no
    browser is this annotator any more, their name is deleted from the archive of answers, and they
    are a member of nothing.

    address: where the request comes from, as in `taken_back.note`.
    """
    withdrawn = service.Withdrawn()
    if not keep_answers:
        withdrawn = service.withdraw_all(
            annotator=annotator, reason=service.Reason.FORGOTTEN, address=address
        )
    captions.forget_name(annotator.pk)
    with transaction.atomic():
        locked = Annotator.objects.lock(annotator.pk)
        locked.user, locked.pseudonym = None, new_pseudonym()
        locked.save(update_fields=["user", "pseudonym"])
        Membership.objects.filter(annotator=locked).delete()
        Comment.objects.filter(annotator=locked).update(annotator=None)
        if not keep_answers and not locked.answers.exists():
            locked.delete()
    return withdrawn
