"""Challenges, and how much one person may ask for."""

from config import environment

environment.section("Challenges and limits")
# Challenges
CHALLENGE_SECONDS = environment.number(
    "CHALLENGE_SECONDS", 900, least=10, about="seconds in which a challenge can be answered"
)
CHALLENGE_RATE = environment.number(
    "CHALLENGE_RATE",
    60,
    least=1,
    about="challenges a minute that an annotator may answer; three times as many may be asked for",
)
OFFLINE_CHALLENGES = environment.number(
    "OFFLINE_CHALLENGES",
    200,
    about="challenges that one annotator may fetch ahead to answer them offline, within twelve"
    " hours; `0` turns working offline off",
)
NEWCOMERS_PER_ADDRESS = environment.number(
    "NEWCOMERS_PER_ADDRESS",
    60,
    least=1,
    about="pseudonyms a day that visitors from one address (IPv6: one /64 network) are given,"
    " and accounts that are made there: a school class or an office; whoever comes later signs"
    " in, or comes back tomorrow",
)
API_RATE = environment.number(
    "API_RATE",
    600,
    least=1,
    about="other calls of the API a minute by one token or account; from one address, twenty"
    " times as many",
)
PSEUDONYM_COOKIE = "tessera_annotator"

# The CAPTCHA of other sites: attempts that may be begun in a minute
CAPTCHA_ADDRESS_RATE = environment.number(
    "CAPTCHA_ADDRESS_RATE",
    20,
    least=1,
    about="attempts to pass a [CAPTCHA](captcha.md) that may be begun a minute from one"
    " address; ten times as many an hour",
)
CAPTCHA_SITE_RATE = environment.number("CAPTCHA_SITE_RATE", 6_000, least=1, about="… at one site")
CAPTCHA_RATE = environment.number("CAPTCHA_RATE", 20_000, least=1, about="… in all")

WEBHOOK_HOSTS = environment.hosts(
    "WEBHOOK_HOSTS",
    about="hosts, without scheme and port, with commas between, that webhooks may be sent to"
    " although they are of a private network, or speak http",
)
