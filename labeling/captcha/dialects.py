"""How reCAPTCHA and hCaptcha name things: what a site's server sends, and what it is told.

https://developers.google.com/recaptcha/docs/verify and https://docs.hcaptcha.com/
"""

from collections.abc import Mapping
from dataclasses import dataclass

from labeling.captcha.verifying import Fault, Verdict


@dataclass(frozen=True)
class Dialect:
    """One of the two: what its errors are called, and what else its answers hold."""

    name: str
    codes: Mapping[Fault, str]

    def answer(self, verdict: Verdict) -> dict[str, object]:
        """Return what a site's server is answered."""
        answer: dict[str, object] = {"success": verdict.success}
        if verdict.success:
            answer |= {
                "challenge_ts": verdict.passed_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
                "hostname": verdict.host,
            }
            answer |= {"credit": False} if self.name == "hcaptcha" else {}
        if verdict.score is not None:  # clients of reCAPTCHA v2 take no answer that has one
            answer["score"] = verdict.score
        if verdict.action:  # and those of v3 none that has an empty one
            answer["action"] = verdict.action
        if verdict.fault is not None:
            answer["error-codes"] = [self.codes[verdict.fault]]
        return answer


_SHARED = {
    Fault.NO_SECRET: "missing-input-secret",
    Fault.WRONG_SECRET: "invalid-input-secret",
    Fault.NO_RESPONSE: "missing-input-response",
    Fault.WRONG_RESPONSE: "invalid-input-response",
    Fault.BAD_REQUEST: "bad-request",
}
RECAPTCHA = Dialect(
    "recaptcha",
    {
        **_SHARED,
        Fault.EXPIRED: "timeout-or-duplicate",
        Fault.USED: "timeout-or-duplicate",
        Fault.OTHER_SITE: "invalid-input-response",
    },
)
HCAPTCHA = Dialect(
    "hcaptcha",
    {
        **_SHARED,
        Fault.EXPIRED: "expired-input-response",
        Fault.USED: "already-seen-response",
        Fault.OTHER_SITE: "sitekey-secret-mismatch",
    },
)
