"""What goes wrong with a bucket, in words that name no secret."""

import re
from typing import Any

CODE = re.compile(r"[A-Za-z0-9]{1,60}")
BUSY = {"SlowDown", "Throttling", "ThrottlingException", "RequestLimitExceeded", "RequestTimeout"}
MISSING = {"NoSuchKey", "NotFound", "404"}
CHANGED = {"PreconditionFailed", "412"}
OF_OBJECT = {"AccessDenied", "InvalidObjectState", "403"}  # of one object, others may be read


class BucketError(ValueError):
    """A bucket cannot be read or written; the message says why."""


class Unavailable(BucketError):
    """The bucket does not answer, or not now: what failed may be tried again."""


class Missing(BucketError):
    """An object is not there."""


class Changed(BucketError):
    """An object is another one by now than the one that was listed."""


class Unsupported(BucketError):
    """The server does not know how to do what was asked."""


class Denied(BucketError):
    """An object may not be read or written by the server's credentials."""


def of_response(error: Any) -> BucketError:
    """Return what an error that the bucket answered means.

    error: a botocore `ClientError`, whose own message may name the key of the credentials.
    """
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    code = str(error.response.get("Error", {}).get("Code", ""))
    word = code if CODE.fullmatch(code) else str(status)
    if status == 501:
        return Unsupported(f"it does not know how ({word})")
    if status >= 500 or status == 429 or code in BUSY:
        return Unavailable(f"it answers {status} ({word})")
    if code == "NoSuchBucket":
        return BucketError("there is no bucket of that name")
    if code in MISSING:
        return Missing("is not there any more")
    if code in CHANGED or status == 412:
        return Changed("was changed")
    if code == "InvalidObjectState":
        return Denied("is archived in the bucket: have it restored first")
    if code in OF_OBJECT:
        return Denied(f"may not be used with the server's credentials ({word})")
    return BucketError(f"it answers {status} ({word})")


def of_transport(error: Exception) -> BucketError:
    """Return what an error that came before any answer, or within one, means.

    error: a botocore `BotoCoreError`, or what the connection raised.
    """
    from botocore import exceptions

    if isinstance(error, exceptions.NoCredentialsError | exceptions.PartialCredentialsError):
        return BucketError("the server has no credentials for it, or not all of them")
    broken = (
        *(exceptions.HTTPClientError, exceptions.ConnectionError),
        exceptions.IncompleteReadError,
    )
    if isinstance(error, broken):
        return Unavailable(_words(error))
    if isinstance(error, exceptions.BotoCoreError):
        return BucketError(f"the server's own set-up does not allow it ({type(error).__name__})")
    return Unavailable(_words(error))


def _words(error: Exception) -> str:
    name = type(error).__name__
    if "Timeout" in name:
        return "it says nothing"
    return "the connection failed, or broke off"
