"""Composition root: every setting, read from the environment, with defaults that need no server.

A value that cannot be read raises and names its variable. Where `DATABASE_URL` or
`CELERY_BROKER_URL` are not set, the embedded servers' sockets are used; starting them is
`manage.py`'s business, never this module's.
"""

import os
import secrets
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import dj_database_url
from django.core.exceptions import ImproperlyConfigured

from config import cache, servers
from config.logs import HideTokens

BASE_DIR = Path(__file__).resolve().parent.parent
DATA_DIR = servers.data_dir()
FRONTEND_DIR = BASE_DIR / "frontend"


def _flag(name: str, default: bool) -> bool:
    """Return a yes-or-no setting of the environment. Raises `ImproperlyConfigured`."""
    value = os.environ.get(name, "1" if default else "0").lower()
    if value in {"1", "true", "yes", "on"}:
        return True
    if value in {"0", "false", "no", "off", ""}:
        return False
    raise ImproperlyConfigured(f"{name} must be 1 or 0, not {value!r}.")


def _number(name: str, default: int, *, least: int = 0) -> int:
    """Return a whole number of the environment. Raises `ImproperlyConfigured`."""
    value = os.environ.get(name, str(default))
    if not value.isdigit() or int(value) < least:
        raise ImproperlyConfigured(f"{name} must be a whole number from {least}, not {value!r}.")
    return int(value)


def _list(name: str, default: str) -> list[str]:
    """Return a setting of the environment that is a list with commas."""
    return [item.strip() for item in os.environ.get(name, default).split(",") if item.strip()]


def _hosts(name: str) -> list[str]:
    """Return a setting that is a list of hosts. Raises ImproperlyConfigured for an address."""
    hosts = _list(name, "")
    if wrong := [host for host in hosts if "/" in host or host.count(":") == 1]:
        raise ImproperlyConfigured(
            f"{name} names hosts alone, such as labels.example.org, and no scheme or port:"
            f" “{wrong[0]}” is none."
        )
    return hosts


def _cache(url: str, broker_url: str) -> dict[str, Any]:
    """`CACHE_URL`, else the broker where it is a Redis or Valkey, else the process's own memory."""
    if url and urlsplit(url).scheme not in cache.SCHEMES:
        raise ImproperlyConfigured("CACHE_URL must begin with redis://, rediss:// or unix://.")
    if location := url or cache.url_of_broker(broker_url):
        backend = f"{cache.SharedCache.__module__}.{cache.SharedCache.__qualname__}"
        return {"BACKEND": backend, "LOCATION": location, "KEY_PREFIX": "tessera-cache"}
    return {
        "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
        "OPTIONS": {"MAX_ENTRIES": 100_000},
    }


def _secret_key() -> str:
    """Return `SECRET_KEY`, else one drawn once and kept in the data folder for its owner alone."""
    if key := os.environ.get("SECRET_KEY"):
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


DEBUG = _flag("DEBUG", False)
SECRET_KEY = _secret_key()
ALLOWED_HOSTS = _list("ALLOWED_HOSTS", "127.0.0.1,localhost,[::1]")
CSRF_TRUSTED_ORIGINS = _list("CSRF_TRUSTED_ORIGINS", "")

INSTALLED_APPS = [
    "config",
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
    "labeling.api.middleware.ApiMiddleware",
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

DATABASES: dict[str, dict[str, Any]] = {
    "default": dict(dj_database_url.parse(os.environ["DATABASE_URL"]))
    if os.environ.get("DATABASE_URL")
    else servers.database(DATA_DIR)
}
DATABASES["default"]["CONN_HEALTH_CHECKS"] = True  # a database that was restarted is used again
_options = DATABASES["default"].setdefault("OPTIONS", {})
if _flag("DATABASE_PREPARE", True):  # statements of `labeling.prepared`; all others never are
    _options["prepare_threshold"] = 0
    _options["options"] = f"{_options.get('options', '')} -c plan_cache_mode=force_generic_plan"
if _flag("DATABASE_POOL", False):  # the web process: many threads, few connections
    _options["pool"] = {
        "min_size": 2,
        "max_size": _number("DATABASE_POOL_SIZE", 16, least=2),
    }
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

STATIC_URL = "/static/"
STATIC_ROOT = DATA_DIR / "static"
STATICFILES_DIRS = [FRONTEND_DIR / "static"]
WHITENOISE_USE_FINDERS = True
MEDIA_ROOT = DATA_DIR / "media"
SNAPSHOT_ROOT = DATA_DIR / "snapshots"
EXPORT_ROOT = DATA_DIR / "exports"  # until they are done and in the storage
RUN_ROOT = DATA_DIR / "runs"
CACHE_ROOT = DATA_DIR / "cache"
UPLOAD_ROOT = Path(os.environ.get("UPLOAD_ROOT") or DATA_DIR / "uploads")
STORAGES = {
    "default": {
        "BACKEND": os.environ.get(
            "FILE_STORAGE", "django.core.files.storage.filesystem.FileSystemStorage"
        )
    },
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
LOCALE_PATHS = [BASE_DIR / "locale"]
FORMAT_MODULE_PATH = ["config.formats"]
LANGUAGE_COOKIE_NAME = "tessera_language"
LANGUAGE_COOKIE_AGE = 400 * 24 * 3600  # seconds: as long as browsers keep one
LANGUAGE_COOKIE_SAMESITE = "Lax"
LANGUAGE_COOKIE_SECURE = _flag("HTTPS", False)
TIME_ZONE = "UTC"
USE_TZ = True

# Images in
IMAGE_MAX_BYTES = _number("IMAGE_MAX_BYTES", 20 * 1024 * 1024, least=1)
IMAGE_MAX_PIXELS = _number("IMAGE_MAX_PIXELS", 40_000_000, least=1)
DATA_UPLOAD_MAX_MEMORY_SIZE = 256 * 1024
# Uploads of pictures, in parts
UPLOAD_MAX_BYTES = _number("UPLOAD_MAX_BYTES", 20 * 1024 * 1024 * 1024, least=1)  # of one upload
UPLOAD_MAX_FILES = _number("UPLOAD_MAX_FILES", 200_000, least=1)  # … or members of its archives
IMPORT_HOSTS = _list("IMPORT_HOSTS", "")  # from which pictures are fetched
IMPORT_BUCKETS = _list("IMPORT_BUCKETS", "")  # s3://bucket/prefix, and perhaps its endpoint
EXPORT_BUCKETS = _list("EXPORT_BUCKETS", "")  # … that exports may go to
UPLOAD_MAX_UNFINISHED = _number("UPLOAD_MAX_UNFINISHED", 10, least=1)  # of one project
UPLOAD_MIN_FREE_BYTES = _number(
    "UPLOAD_MIN_FREE_BYTES", 1024 * 1024 * 1024
)  # of the disk, that remain
UPLOAD_PART_BYTES = 4 * 1024 * 1024  # of one request

# Challenges
CHALLENGE_SECONDS = _number("CHALLENGE_SECONDS", 900, least=10)
CHALLENGE_RATE = _number("CHALLENGE_RATE", 60, least=1)  # answers a minute an annotator
OFFLINE_CHALLENGES = _number("OFFLINE_CHALLENGES", 200)  # fetched ahead by one annotator; 0: none
NEWCOMERS_PER_ADDRESS = _number("NEWCOMERS_PER_ADDRESS", 60, least=1)  # pseudonyms a day
API_RATE = _number("API_RATE", 600, least=1)  # other calls of the API a minute an account
PSEUDONYM_COOKIE = "tessera_annotator"

# The CAPTCHA of other sites: attempts that may be begun in a minute
CAPTCHA_ADDRESS_RATE = _number("CAPTCHA_ADDRESS_RATE", 20, least=1)  # at one address
CAPTCHA_SITE_RATE = _number("CAPTCHA_SITE_RATE", 6_000, least=1)  # at one site
CAPTCHA_RATE = _number("CAPTCHA_RATE", 20_000, least=1)  # in all

WEBHOOK_HOSTS = _hosts("WEBHOOK_HOSTS")  # private hosts that webhooks may be sent to

# Training
CLIP_MODEL = os.environ.get("CLIP_MODEL", "")
CLIP_PRETRAINED = os.environ.get("CLIP_PRETRAINED", "")
# Questions of a pool, for each concept and grid, that nobody has answered yet: `labeling.pools`.
POOL_DOUBTFUL = _number("POOL_DOUBTFUL", 64)
POOL_LIKELY = _number("POOL_LIKELY", 32)
POOL_RANDOM = _number("POOL_RANDOM", 32, least=1)
TRAINING_THREADS = _number("TRAINING_THREADS", 0)  # of a run's process; 0: as many as cores
TRACKER = os.environ.get("TRACKER", "")  # where runs are logged
if TRACKER not in {"", "tensorboard", "wandb", "mlflow"}:
    raise ImproperlyConfigured(f"TRACKER must be tensorboard, wandb or mlflow, not {TRACKER!r}.")
RETRAIN_MINIMUM = _number("RETRAIN_MINIMUM", 50, least=1)  # labels, before anything is retrained
RETRAIN_PRESET = os.environ.get("RETRAIN_PRESET", "cpu")
# Files with the certificate and the key that sign C2PA manifests of what models draw
C2PA_CERTIFICATE = os.environ.get("C2PA_CERTIFICATE", "")
C2PA_KEY = os.environ.get("C2PA_KEY", "")
if bool(C2PA_CERTIFICATE) != bool(C2PA_KEY):
    raise ImproperlyConfigured("Set both C2PA_CERTIFICATE and C2PA_KEY, or neither.")
GENERATION_QUEUE_LIMIT = _number("GENERATION_QUEUE_LIMIT", 20, least=1)  # unfinished requests

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
HTTPS = _flag("HTTPS", False)
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

# Mail, as Django names it: without a host none is sent, and no page speaks of it.
EMAIL_HOST = os.environ.get("EMAIL_HOST", "")
EMAIL_PORT = _number("EMAIL_PORT", 587, least=1)
EMAIL_HOST_USER = os.environ.get("EMAIL_HOST_USER", "")
EMAIL_HOST_PASSWORD = os.environ.get("EMAIL_HOST_PASSWORD", "")
EMAIL_USE_TLS = _flag("EMAIL_USE_TLS", True)
EMAIL_USE_SSL = _flag("EMAIL_USE_SSL", False)
EMAIL_TIMEOUT = 20  # seconds
DEFAULT_FROM_EMAIL = os.environ.get("DEFAULT_FROM_EMAIL", "tessera@localhost")

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
    "NUM_PROXIES": _number("PROXIES", 0),  # reverse proxies whose X-Forwarded-For is believed
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
CELERY_BROKER_URL = os.environ.get("CELERY_BROKER_URL") or servers.broker_url(DATA_DIR)
# One cache for all processes. Without a Redis (the broker is RabbitMQ and CACHE_URL is not set),
# each process has a cache, and counts limits, of its own.
CACHES = {"default": _cache(os.environ.get("CACHE_URL", ""), CELERY_BROKER_URL)}
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 3600,
    "unacked_restore_interval": 10,
    "max_retries": 1,  # a request does not wait for a broker that is down
    "interval_start": 0,
    "socket_timeout": 5,  # seconds: nor for one that hangs
    "socket_connect_timeout": 5,
}
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_IGNORE_RESULT = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
# A worker consumes both queues unless -Q names one. A worker of its own for `generate` keeps its
# models loaded, and a request for pictures waits for no other task.
CELERY_TASK_QUEUES = {
    name: {"exchange": name, "routing_key": name} for name in ("celery", "generate")
}
CELERY_TASK_ROUTES = {"training.tasks.generate": {"queue": "generate"}}
CELERY_BEAT_SCHEDULE: dict[str, dict[str, object]] = {
    "recompute-due-projects": {"task": "labeling.tasks.aggregate_due", "schedule": 60.0},
    "fill-due-pools": {"task": "labeling.tasks.fill_due_pools", "schedule": 15.0},
    "finish-concepts": {"task": "labeling.tasks.finish_concepts", "schedule": 15.0},
    "cut-due-pictures": {"task": "labeling.tasks.cut_due_pictures", "schedule": 15.0},
    "freeze-pending-snapshots": {"task": "labeling.tasks.freeze_due", "schedule": 60.0},
    "make-due-exports": {"task": "labeling.tasks.make_due_exports", "schedule": 60.0},
    "advance-imports": {"task": "labeling.tasks.advance_imports", "schedule": 15.0},
    "forget-uploads": {"task": "labeling.tasks.forget_uploads", "schedule": 3600.0},
    "delete-removed-files": {"task": "labeling.tasks.delete_removed_files", "schedule": 3600.0},
    "forget-challenges": {"task": "labeling.tasks.forget_challenges", "schedule": 3600.0},
    "take-in-attempts": {"task": "labeling.tasks.take_in_attempts", "schedule": 5.0},
    "forget-attempts": {"task": "labeling.tasks.forget_attempts", "schedule": 3600.0},
    "send-webhooks": {"task": "labeling.tasks.send_webhooks", "schedule": 15.0},
    "forget-kept-answers": {"task": "labeling.tasks.forget_kept_answers", "schedule": 3600.0},
    "forget-visitors": {"task": "labeling.tasks.forget_visitors", "schedule": 3600.0},
    "recover-runs-and-generations": {"task": "training.tasks.sweep", "schedule": 20.0},
    "retrain-due-projects": {"task": "training.tasks.retrain_due", "schedule": 60.0},
}
for _entry in CELERY_BEAT_SCHEDULE.values():  # while no worker runs, they must not pile up
    _entry["options"] = {"expires": _entry["schedule"]}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"}},
    "filters": {"tokens": {"()": HideTokens}},
    "handlers": {
        "console": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["tokens"]}
    },
    "loggers": {"botocore": {"level": "WARNING"}},  # it says where credentials come from
    "root": {"handlers": ["console"], "level": "INFO"},
}
