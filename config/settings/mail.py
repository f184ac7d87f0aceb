"""Mail."""

from config import environment

environment.section("Mail")
# Mail, as Django names it: without a host none is sent, and no page speaks of it.
EMAIL_HOST = environment.text(
    "EMAIL_HOST",
    about="a mail server, by which passwords are reset; without one no page speaks of mail",
)
EMAIL_PORT = environment.number("EMAIL_PORT", 587, least=1, about="its port")
EMAIL_HOST_USER = environment.text("EMAIL_HOST_USER", about="the name by which it is used")
EMAIL_HOST_PASSWORD = environment.text("EMAIL_HOST_PASSWORD", secret=True, about="and the password")
EMAIL_USE_TLS = environment.flag(
    "EMAIL_USE_TLS", True, about="whether STARTTLS is asked for; 0 with `EMAIL_USE_SSL`"
)
EMAIL_USE_SSL = environment.flag(
    "EMAIL_USE_SSL", False, about="whether the connection is TLS from its beginning"
)
EMAIL_TIMEOUT = 20  # seconds
DEFAULT_FROM_EMAIL = environment.text(
    "DEFAULT_FROM_EMAIL", "tessera@localhost", about="whose address the messages have"
)
SERVER_EMAIL = DEFAULT_FROM_EMAIL
EMAIL_SUBJECT_PREFIX = "[Tessera] "
ADMINS = [
    ("", address)
    for address in environment.items(
        "ADMINS",
        about="addresses to which errors are mailed, a list: each error once an hour, and few in"
        " all ([errors by mail](monitoring.md#errors-by-mail)); needs `EMAIL_HOST`",
    )
]
