"""Where files lie, by the environment alone: a folder, S3, or any back end of django-storages.

`FILE_STORAGE` is an address or a class, `FILE_STORAGE_OPTIONS` what else the class takes, as JSON.
Credentials of S3 are found as AWS's tools find them; no message says what an option holds.
"""

import difflib
import inspect
import json
import secrets
from contextlib import suppress
from importlib.util import find_spec
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

FOLDER = "django.core.files.storage.filesystem.FileSystemStorage"
S3 = "storages.backends.s3.S3Storage"
GCS = "storages.backends.gcloud.GoogleCloudStorage"
EXAMPLE = "s3://bucket/prefix?endpoint_url=https://s3.example.org&region_name=eu-central-1"
PACKAGES = {S3: ("boto3", "s3"), GCS: ("google.cloud.storage", "gcs")}  # module and extra
# A request for a picture waits no longer than twice this for a bucket that is away; workers try
# again by themselves.
CONNECT_SECONDS, READ_SECONDS, ATTEMPTS = 3, 12, 2
CONNECTIONS = 32  # of one process
MEMORY = 32 * 2**20  # bytes of a file that is read; what is larger goes through a temporary file
PROBES = "checks"  # the folder of what is written to find out whether anything can be

Options = dict[str, Any]


class Storage(NamedTuple):
    """A class of Django's storages by its dotted name, and what it is made with."""

    backend: str
    options: Options

    def as_setting(self) -> dict[str, Any]:
        """Return it as Django's `STORAGES` holds it."""
        return {"BACKEND": self.backend, "OPTIONS": self.options}


def parse(place: str, options: str = "") -> Storage:
    """Read `FILE_STORAGE` and `FILE_STORAGE_OPTIONS`. Raises `ImproperlyConfigured`."""
    given = _of_json(options)
    scheme, separator, _ = place.partition("://")
    if not place:
        backend, named = FOLDER, Options()
    elif not separator:
        backend, named = _class(place), Options()
    elif scheme in _SCHEMES:
        backend, named = _SCHEMES[scheme](place)
    else:
        raise ImproperlyConfigured(
            f"FILE_STORAGE is {EXAMPLE}, gs://bucket/prefix, file:///path, or the class of a back "
            f"end; {scheme}:// is none of these."
        )
    if twice := sorted(given.keys() & named.keys()):
        raise ImproperlyConfigured(
            f"FILE_STORAGE and FILE_STORAGE_OPTIONS both say {twice[0]}: say it once."
        )
    storage = Storage(backend, named | given)
    _check_installed(storage)
    return _with_limits(storage) if backend == S3 else storage


def problems(storage: Storage) -> list[str]:
    """Return what is wrong with a storage's class and options, each in a sentence."""
    from django.utils.module_loading import import_string

    try:
        kind = import_string(storage.backend)
    except ImportError as error:
        return [f"FILE_STORAGE: {storage.backend} cannot be imported ({error})."]
    names = _names(kind)
    unknown = [name for name in storage.options if names and name not in names]
    if unknown:
        return [_unknown(name, names) for name in unknown]
    try:
        kind(**storage.options)
    except ImproperlyConfigured as error:
        return [f"FILE_STORAGE: {_shortened(error)}"]
    except Exception as error:  # whatever a back end does with a value that it does not like
        return [f"FILE_STORAGE: {kind.__name__} takes no such options ({type(error).__name__})."]
    return []


def probe(files: Any = None) -> str:
    """Write, read and delete a small file; return why that cannot be done, or nothing."""
    from django.core.files.base import ContentFile
    from django.core.files.storage import default_storage

    files = files or default_storage

    data = secrets.token_bytes(16)
    step, written = "written", ""
    try:
        written = files.save(f"{PROBES}/{secrets.token_hex(8)}", ContentFile(data))
        step = "read"
        with files.open(written, "rb") as file:
            if file.read() != data:
                return "The storage of FILE_STORAGE gives back other bytes than were written."
        step = "deleted"
        files.delete(written)
    except Exception as error:
        with suppress(Exception):
            if step == "read":
                files.delete(written)
        return f"Files cannot be {step} where FILE_STORAGE says: {reason(error)}."
    return ""


def reason(error: Exception) -> str:
    """Return in words why a storage refuses, without what might be secret."""
    code = _code(error)
    if code in _REASONS:
        return _REASONS[code]
    name = type(error).__name__
    if name in _REASONS:
        return _REASONS[name]
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror} ({error.filename})" if error.filename else error.strerror
    return f"it answers {code}" if code else name


_RIGHTS = (
    "the credentials are wrong or lack a right; they need s3:ListBucket of it, s3:GetObject, "
    "s3:PutObject and s3:DeleteObject"
)
_CREDENTIALS = "the bucket knows no such credentials, or they are wrong"
_NONE = (
    "there are no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or "
    "give the machine a role"
)
AWAY = "nothing answers there: check endpoint_url, and whether it runs"
_FULL = "the bucket is full: make room in it"
_REASONS = {
    "NoSuchBucket": "there is no such bucket: make it, or correct the name",
    "404": "there is no such bucket, or the file was gone at once",
    "403": _RIGHTS,
    "AccessDenied": _RIGHTS,
    "InvalidAccessKeyId": _CREDENTIALS,
    "SignatureDoesNotMatch": _CREDENTIALS,
    "ExpiredToken": "the credentials have expired",
    "RequestTimeTooSkewed": "the clock of this machine is wrong: set it",
    "PermanentRedirect": "the bucket is of another region: set region_name",
    "301": "the bucket is of another region: set region_name",
    "QuotaExceeded": _FULL,
    "InsufficientStorage": _FULL,
    "XMinioStorageFull": _FULL,
    "507": _FULL,
    "NoCredentialsError": _NONE,
    "PartialCredentialsError": _NONE,
    "ProfileNotFound": "AWS_PROFILE names no profile",
    "EndpointConnectionError": AWAY,
    "ConnectTimeoutError": AWAY,
    "ReadTimeoutError": "it says nothing",
    "ConnectionClosedError": AWAY,
    "SSLError": "its certificate is not trusted",
}


def _code(error: Exception) -> str:
    """Return the code of an answer of S3, if the error is one."""
    response = getattr(error, "response", None)
    if not isinstance(response, dict):
        return ""
    code = str(response.get("Error", {}).get("Code", ""))
    status = str(response.get("ResponseMetadata", {}).get("HTTPStatusCode", ""))
    return code if code.isalnum() and not (code.isdigit() and code != status) else status


def _of_json(text: str) -> Options:
    if not text:
        return {}
    try:
        options = json.loads(text)
    except ValueError:
        options = None
    if not isinstance(options, dict):
        raise ImproperlyConfigured(
            'FILE_STORAGE_OPTIONS is an object of JSON, as {"bucket_name": "pictures"}.'
        )
    return options


def _class(name: str) -> str:
    if not all(part.isidentifier() for part in name.split(".")) or "." not in name:
        raise ImproperlyConfigured(
            f"FILE_STORAGE is an address, as {EXAMPLE} or file:///path, or the class of a back end "
            f"by its dotted name, as {S3}."
        )
    return name


def _of_folder(place: str) -> tuple[str, Options]:
    parts = urlsplit(place)
    if parts.netloc not in ("", "localhost") or not parts.path or parts.query or parts.fragment:
        raise ImproperlyConfigured("FILE_STORAGE of a folder is file:///path, with three slashes.")
    return FOLDER, {"location": unquote(parts.path)}


def _of_s3(place: str) -> tuple[str, Options]:
    bucket, prefix, query = _bucket(place)
    options = {"bucket_name": bucket, "location": prefix} | query
    return S3, {name: value for name, value in options.items() if value != ""}


def _of_gcs(place: str) -> tuple[str, Options]:
    bucket, prefix, query = _bucket(place)
    options = {"bucket_name": bucket, "location": prefix} | query
    return GCS, {name: value for name, value in options.items() if value != ""}


_SCHEMES = {"s3": _of_s3, "gs": _of_gcs, "file": _of_folder}


def _bucket(place: str) -> tuple[str, str, Options]:
    """Return the bucket, the prefix and the options of an address."""
    try:
        parts = urlsplit(place)
        has_port = parts.port is not None
    except ValueError:
        has_port, parts = True, urlsplit("s3://")
    if "@" in parts.netloc:
        raise ImproperlyConfigured(
            "FILE_STORAGE holds no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, "
            "or what else AWS's tools read."
        )
    if not parts.netloc or has_port or parts.fragment:
        raise ImproperlyConfigured(
            f"FILE_STORAGE names no bucket: write {EXAMPLE}; where it is, endpoint_url says."
        )
    query = {name: _value(text) for name, text in parse_qsl(parts.query, keep_blank_values=True)}
    if secret := sorted(query.keys() & {"access_key", "secret_key", "security_token"}):
        raise ImproperlyConfigured(
            f"{secret[0]} does not belong into FILE_STORAGE: set AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY."
        )
    return parts.netloc, unquote(parts.path).strip("/"), query


def _value(text: str) -> Any:
    """Return the value of an option in an address: true, false, a number, or a text."""
    if text.lower() in {"true", "false"}:
        return text.lower() == "true"
    return int(text) if text.isascii() and text.isdigit() else text


def _check_installed(storage: Storage) -> None:
    module, extra = PACKAGES.get(storage.backend, ("", ""))
    if not module:
        return
    with suppress(ModuleNotFoundError):  # of a package above it
        if find_spec(module) is not None:
            return
    raise ImproperlyConfigured(
        f"FILE_STORAGE needs a package that is not installed: install the extra [{extra}]."
    )


def _with_limits(storage: Storage) -> Storage:
    """Return a storage in S3 that gives up soon, and replaces no file unless it is told to."""
    from botocore.config import Config

    options = dict(storage.options)
    endpoint = options.get("endpoint_url")
    if endpoint is not None and urlsplit(str(endpoint)).scheme not in {"http", "https"}:
        raise ImproperlyConfigured(
            "endpoint_url of FILE_STORAGE begins with https://, or http:// within a network of "
            "your own."
        )
    style = options.pop("addressing_style", "path" if endpoint else "auto")
    defaults: Options = {
        "file_overwrite": False,
        "max_memory_size": MEMORY,
        "client_config": Config(
            connect_timeout=CONNECT_SECONDS,
            read_timeout=READ_SECONDS,
            retries={"total_max_attempts": ATTEMPTS, "mode": "standard"},
            max_pool_connections=CONNECTIONS,
            s3={"addressing_style": style},
            signature_version=options.pop("signature_version", None),
            proxies=options.pop("proxies", None),
            request_checksum_calculation="when_required",  # which other servers may not know
            response_checksum_validation="when_required",
        ),
    }
    return Storage(storage.backend, defaults | options)


def _names(kind: type) -> set[str]:
    """Return the names of the options that a class takes; empty: any."""
    if settings_of := getattr(kind, "get_default_settings", None):  # a back end of django-storages
        return {*settings_of(object.__new__(kind)), "cloudfront_signer"}
    parameters = inspect.signature(kind).parameters.values()
    if any(each.kind is inspect.Parameter.VAR_KEYWORD for each in parameters):
        return set()
    return {each.name for each in parameters}


def _unknown(name: str, names: set[str]) -> str:
    near = difflib.get_close_matches(name, sorted(names), n=1, cutoff=0.5)
    advice = f"did you mean {near[0]}?" if near else f"it takes {', '.join(sorted(names))}."
    return f"FILE_STORAGE takes no option {name}: {advice}"


def _shortened(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text if len(text) <= 300 else f"{text[:300]}…"
