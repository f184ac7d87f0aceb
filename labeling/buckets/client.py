"""A bucket over its protocol: list, read, write; each request checked, bounded and tried again."""

import hashlib
import os
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache, partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from labeling import outbound
from labeling.buckets import errors, retries
from labeling.buckets.addresses import Place
from labeling.buckets.errors import BucketError, Changed, Missing, Unavailable, Unsupported

CONNECT = 10.0  # seconds
STEP = 30.0  # seconds without a byte
PAGE = 1_000  # objects of a list at a time, as many as the protocol allows
PIECE = 256 * 1024  # bytes that are read at a time
AT_ONCE = 8  # requests
NOT_INSTALLED = (
    "Buckets need another package on the server: run `pip install 'tessera-labeling[s3]'`."
)


class Object(NamedTuple):
    """An object as the bucket lists it."""

    key: str
    size: int  # bytes
    etag: str  # which changes with its content; quotes and all
    modified: int = 0  # milliseconds since 1970


class Part(NamedTuple):
    """A part of an object that is being written."""

    number: int  # from 1
    etag: str
    size: int  # bytes


def check_installed() -> None:
    """Raise BucketError where the package that speaks to buckets is missing."""
    if find_spec("botocore") is None:
        raise BucketError(NOT_INSTALLED)


class Bucket:
    """What lies in one bucket. It may be used by several threads at a time."""

    def __init__(self, place: Place) -> None:
        check_installed()
        self.place = place
        self._client = _connected(place)

    def pages(self, prefix: str) -> Iterator[list[Object]]:
        """Yield the objects whose keys begin so, a page at a time. Raises BucketError."""
        token, tokens = "", set[str]()
        while True:
            more = {"ContinuationToken": token} if token else {}
            page = self._ask("list_objects_v2", Prefix=prefix, MaxKeys=PAGE, **more)
            yield [_object(each) for each in page.get("Contents", [])]
            token = str(page.get("NextContinuationToken") or "")
            if not page.get("IsTruncated"):
                return
            if not token or token in tokens:
                raise BucketError("its list does not go on, and does not end")
            tokens.add(token)

    def find(self, key: str) -> Object | None:
        """Return an object; None where there is none of that key. Raises BucketError."""
        try:
            head = self._ask("head_object", Key=key)
        except Missing:
            return None
        return Object(key, int(head["ContentLength"]), str(head.get("ETag", "")), _time(head))

    def fetch(
        self, wanted: Object, path: Path, on_piece: Callable[[int], None] = lambda size: None
    ) -> None:
        """Write an object into a file, which is there once it is whole.

        What an earlier attempt left beside it, in a file of the suffix .part, is gone on with.
        on_piece: is given the size of each piece that comes. Raises BucketError, OSError, and what
        `on_piece` raises.
        """
        part = path.with_name(f"{path.name}.part")
        part.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        go_on = partial(self._go_on, wanted, part, on_piece)
        retries.patiently(go_on, progress=partial(_size, part))
        part.replace(path)

    def read(self, key: str) -> Iterator[bytes]:
        """Yield an object's bytes. Raises BucketError."""
        response = self._ask("get_object", Key=key)
        yield from _pieces(response["Body"])

    def put(self, key: str, data: bytes, *, new: bool = False) -> str:
        """Write a small object; return its ETag. Raises BucketError, and Changed.

        new: there may be none of that key yet, or `Changed` is raised.
        """
        values = {"Key": key, "Body": data, "ContentMD5": _md5(data)}
        if new:
            with suppress(Unsupported):  # then whoever looks afterwards sees whose it is
                return str(self._ask("put_object", IfNoneMatch="*", **values)["ETag"])
        return str(self._ask("put_object", **values)["ETag"])

    def unfinished(self, key: str) -> str:
        """Return the id of a write of an object that was broken off; empty: there is none."""
        try:
            page = self._ask("list_multipart_uploads", Prefix=key)
        except BucketError as error:
            if isinstance(error, Unavailable):
                raise
            return ""  # listing them is a right of its own
        ids = [each["UploadId"] for each in page.get("Uploads", []) if each["Key"] == key]
        return str(ids[-1]) if ids else ""

    def begin(self, key: str) -> str:
        """Begin to write an object in parts; return the id."""
        return str(self._ask("create_multipart_upload", Key=key)["UploadId"])

    def parts(self, key: str, upload: str) -> dict[int, Part]:
        """Return the parts that have come of an object that is being written, by number."""
        parts: dict[int, Part] = {}
        marker = 0
        while True:
            page = self._ask("list_parts", Key=key, UploadId=upload, PartNumberMarker=marker)
            for each in page.get("Parts", []):
                part = Part(int(each["PartNumber"]), str(each["ETag"]), int(each["Size"]))
                parts[part.number] = part
            following = int(page.get("NextPartNumberMarker") or 0)
            if not page.get("IsTruncated") or following <= marker:
                return parts
            marker = following

    def put_part(self, key: str, upload: str, number: int, data: bytes) -> Part:
        """Write a part of an object."""
        answer = self._ask(
            "upload_part",
            Key=key,
            UploadId=upload,
            PartNumber=number,
            Body=data,
            ContentMD5=_md5(data),
        )
        return Part(number, str(answer["ETag"]), len(data))

    def complete(self, key: str, upload: str, parts: list[Part]) -> str:
        """Make an object of its parts; return its ETag."""
        listed = [{"PartNumber": part.number, "ETag": part.etag} for part in parts]
        answer = self._ask(
            "complete_multipart_upload", Key=key, UploadId=upload, MultipartUpload={"Parts": listed}
        )
        return str(answer["ETag"])

    def delete(self, key: str) -> None:
        """Delete an object."""
        self._ask("delete_object", Key=key)

    def _ask(self, operation: str, **values: Any) -> Any:
        return retries.patiently(partial(self._once, operation, **values))

    def _once(self, operation: str, **values: Any) -> Any:
        from botocore.exceptions import BotoCoreError, ClientError

        call = getattr(self._client, operation)
        try:
            return call(Bucket=self.place.address.bucket, **values)
        except ClientError as error:
            raise errors.of_response(error) from None  # its own words may name a key
        except (BotoCoreError, OSError) as error:
            raise errors.of_transport(error) from None

    def _go_on(self, wanted: Object, part: Path, on_piece: Callable[[int], None]) -> None:
        """Write what is missing of an object. Raises BucketError; Unavailable: some is missing."""
        offset = _size(part) if wanted.etag else 0
        offset = offset if offset <= wanted.size else 0
        if offset == wanted.size and part.exists():
            return
        more = {"Range": f"bytes={offset}-"} if offset else {}
        more |= {"IfMatch": wanted.etag} if wanted.etag else {}
        response = self._once("get_object", Key=wanted.key, **more)
        if offset and response["ResponseMetadata"]["HTTPStatusCode"] != 206:
            offset = 0  # it sends all of it
        left, etag = response.get("ContentLength"), response.get("ETag")
        is_other = left is not None and offset + int(left) != wanted.size
        if is_other or (wanted.etag and etag != wanted.etag):
            response["Body"].close()
            raise Changed("was changed")
        with part.open("ab") as file:
            file.truncate(offset)
            for piece in _pieces(response["Body"]):
                offset += len(piece)
                if offset > wanted.size:
                    raise Changed("holds more than was said of it")
                file.write(piece)
                on_piece(len(piece))
        if offset < wanted.size:
            raise Unavailable("the connection failed, or broke off")


def _connected(place: Place) -> Any:
    """Return botocore's client, which finds credentials as AWS's tools do; without any: none."""
    import botocore
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError
    from botocore.session import Session

    endpoint = place.endpoint or _of_environment()
    try:
        session = Session()
        session.register_component("data_loader", _loader())
        signature = None if session.get_credentials() else botocore.UNSIGNED
        config = Config(
            signature_version=signature,
            connect_timeout=CONNECT,
            read_timeout=STEP,
            retries={"total_max_attempts": 1, "mode": "standard"},  # `retries` has more patience
            max_pool_connections=AT_ONCE,
            s3={"addressing_style": "path" if endpoint else "auto"},
            request_checksum_calculation="when_required",  # which older servers do not know
            response_checksum_validation="when_required",
        )
        client = session.create_client(
            "s3",
            endpoint_url=endpoint or None,
            region_name=session.get_config_variable("region") or "us-east-1",
            config=config,
        )
    except BotoCoreError as error:
        raise errors.of_transport(error) from None
    owned = urlsplit(endpoint).netloc
    client.meta.events.register("before-send.s3", _check_host(owned))
    return client


@cache
def _loader() -> Any:
    """Return what knows the protocol, from large files that are read once."""
    from botocore.loaders import create_loader

    return create_loader()


def _of_environment() -> str:
    """Return the endpoint that the server's environment names; empty: none."""
    return os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or ""


def _check_host(owned: str) -> Callable[..., None]:
    """Return a hook that refuses a request to a private address, but for the owner's endpoint."""

    @cache
    def check(netloc: str, scheme: str) -> None:
        parts = urlsplit(f"{scheme}://{netloc}")
        port = parts.port or outbound.PORTS[scheme]
        try:
            outbound.resolve(parts.hostname or "", port)
        except outbound.FetchError as error:
            raise BucketError(str(error)) from error

    def hook(request: Any, **_: Any) -> None:
        parts = urlsplit(request.url)
        if parts.netloc != owned:
            check(parts.netloc, parts.scheme)

    return hook


def _pieces(body: Any) -> Iterator[bytes]:
    from botocore.exceptions import BotoCoreError
    from urllib3.exceptions import HTTPError

    try:
        yield from body.iter_chunks(PIECE)
    except (BotoCoreError, HTTPError, OSError) as error:
        raise errors.of_transport(error) from None
    finally:
        body.close()


def _object(listed: Any) -> Object:
    return Object(
        str(listed["Key"]), int(listed["Size"]), str(listed.get("ETag", "")), _time(listed)
    )


def _time(listed: Any) -> int:
    modified = listed.get("LastModified")
    return int(modified.timestamp() * 1_000) if modified else 0


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _md5(data: bytes) -> str:
    return b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()
