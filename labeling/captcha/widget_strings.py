"""The sentences of the CAPTCHA's scripts, in the language that is active."""

from django.utils.translation import gettext as _


def strings() -> dict[str, str]:
    """Return those of the check box, which stands in other sites' pages."""
    return {
        "label": _("I am a person"),
        "title": _("A short question"),
        "close": _("Close"),
        "expired": _("This has expired. Please tick it again."),
        "failed": _("The question could not be shown. Please try again."),
        "required": _("Please tick this box."),
        "test": _("Only a test: everybody passes."),
    }


def frame_strings() -> dict[str, str]:
    """Return those of the frame with the challenge; values are put in for %(names)s there."""
    return {
        "loading": _("The question is coming."),
        "picture": _("Picture %(number)s"),
        "none": _("None of these"),
        "submit": _("Submit"),
        "submit_count": _("Submit %(count)s"),
        "number": _("Question %(number)s of %(count)s"),
        "neither": _("Neither: both describe other pictures"),
        "unanswered": _("Question %(number)s is still open: choose one of its sentences."),
        "another": _("One more round, to be sure."),
        "failed": _("That did not convince. Here is another one: take your time."),
        "anew": _("That question cannot be answered any more. Here is another one."),
        "closed": _("This way is closed at the moment. Here is another one."),
        "work": _("Without a test"),
        "explanation": _("Your device solves a long sum instead. You need do nothing but wait."),
        "cancel": _("Cancel"),
        "working": _("Part %(number)s of %(count)s is being computed."),
        "finishing": _("A moment, please: your device is still computing."),
        "stopped": _("Stopped."),
        "start": _("Start again"),
        "minutes": _("The time for this question is nearly over."),
        "extended": _("You have more time now."),
        "offline": _("The server cannot be reached. Check the connection, then try again."),
        "broken": _("The server has trouble. Try again in a moment."),
        "unworkable": _("This device could not compute it. Try again, or choose another way."),
        "retry": _("Try again"),
    }
