"""What the owner of a site copies into their pages and their server, in each dialect."""

from dataclasses import dataclass

SECRET = "YOUR_SECRET"
TOKEN = "TOKEN"


@dataclass(frozen=True)
class Snippet:
    """A dialect: what stands in the page, and how the server asks whether somebody passed."""

    name: str  # an id, too
    title: str
    when: str  # a sentence: for whom it is
    page: str  # HTML
    field: str  # of the form that is sent, which holds the response
    server: str  # a command for a shell


def snippets(origin: str, key: str) -> list[Snippet]:
    """Return the snippets of a site. origin: of this installation, such as https://example.org."""
    host = origin.partition("://")[2]
    return [
        _snippet(
            origin,
            key,
            name="recaptcha",
            title="In place of reCAPTCHA",
            when=f"Where your pages say www.google.com/recaptcha, write {host}/recaptcha; a client "
            "library has a setting for the host.",
            script="/recaptcha/api.js",
            verify="/recaptcha/api/siteverify",
            letter="g-recaptcha",
        ),
        _snippet(
            origin,
            key,
            name="hcaptcha",
            title="In place of hCaptcha",
            when=f"Where your pages and your server say js.hcaptcha.com or api.hcaptcha.com, write "
            f"{host}; a client library has settings for both addresses.",
            script="/1/api.js",
            verify="/siteverify",
            letter="h-captcha",
        ),
        Snippet(
            name="own",
            title="Without either",
            when="For those who start afresh: an element of its own.",
            page=f'<script src="{origin}/captcha/tessera.js" async defer></script>\n'
            f'<tessera-captcha sitekey="{key}"></tessera-captcha>',
            field="tessera-response",
            server=_curl(origin, "/captcha/siteverify"),
        ),
    ]


def _snippet(
    origin: str,
    key: str,
    *,
    name: str,
    title: str,
    when: str,
    script: str,
    verify: str,
    letter: str,
) -> Snippet:
    return Snippet(
        name=name,
        title=title,
        when=when,
        page=f'<script src="{origin}{script}" async defer></script>\n'
        f'<div class="{letter}" data-sitekey="{key}"></div>',
        field=f"{letter}-response",
        server=_curl(origin, verify),
    )


def _curl(origin: str, address: str) -> str:
    return f"curl {origin}{address} \\\n  -d secret={SECRET} \\\n  -d response={TOKEN}"
