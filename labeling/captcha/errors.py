"""Why a visitor of a site cannot be asked, or cannot answer."""

from collections.abc import Sequence


class CaptchaError(ValueError):
    """The visitor cannot go on; the message says what happened and what to do.

    `code` is for scripts, `status` that of HTTP.
    """

    code, status = "invalid", 400


class Invalid(CaptchaError):
    """What was sent does not fit what was asked."""


class Forged(CaptchaError):
    """The ticket or the name of the attempt was not made here."""

    code, status = "forged", 403


class WrongHost(CaptchaError):
    """The page is on a host that is not among the site's."""

    code, status = "host", 403


class UnknownSite(CaptchaError):
    """There is no site with this key, or it is switched off."""

    code, status = "unknown-site", 404


class AlreadyAnswered(CaptchaError):
    """The round was answered before."""

    code, status = "already-answered", 409


class DoorClosed(CaptchaError):
    """This way to pass is not offered now; `doors` names those that are."""

    code, status = "door-closed", 409

    def __init__(self, sentence: str, doors: Sequence[str]) -> None:
        super().__init__(sentence)
        self.doors = list(doors)


class Expired(CaptchaError):
    """The time is over."""

    code, status = "expired", 410


class Removed(CaptchaError):
    """What was asked about is gone: another attempt asks about something else."""

    code, status = "removed", 410


class TooLarge(CaptchaError):
    """More was sent than any answer needs."""

    code, status = "invalid", 413


class TooMany(CaptchaError):
    """An address, a site or all together asked for too much."""

    code, status = "rate-limited", 429

    def __init__(self, sentence: str, seconds: int) -> None:
        super().__init__(sentence)
        self.seconds = seconds


class QuotaReached(TooMany):
    """The site has begun as many attempts today as it may."""

    code = "quota"
