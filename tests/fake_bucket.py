"""A server that speaks the protocol of buckets, S3, and fails as it is told.

`python -m tests.fake_bucket FOLDER PORT` serves the folders in a folder as buckets, to try it out.
"""

import hashlib
import itertools
import sys
import threading
from base64 import b64decode
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, quote, unquote, urlsplit
from xml.etree import ElementTree
from xml.sax.saxutils import escape

DATE = "2026-01-02T03:04:05.000Z"
HTTP_DATE = "Fri, 02 Jan 2026 03:04:05 GMT"


class FakeBucket:
    """Objects by bucket and key, what was asked for, and what is to go wrong."""

    def __init__(self) -> None:
        self.objects: dict[str, dict[str, bytes]] = {}
        self.page = 1_000  # objects of a list at a time
        self.etags_are_hashes = True  # as they are not where a key of its own encrypts
        self.asked: Counter[str] = Counter()  # "GET key", by key; lists are "LIST prefix"
        self.signed: set[bool] = set()  # whether the requests were
        self.refusals: list[tuple[str, int, str]] = []  # (request, status, code), each once
        self.cut: dict[str, int] = {}  # key → bytes after which the connection breaks, once
        self.before: Callable[[str], None] = lambda request: None
        self.url = ""
        self._uploads: dict[str, tuple[str, str, dict[int, bytes]]] = {}
        self._ids = itertools.count(1)
        self._lock = threading.Lock()

    def put(self, bucket: str, **files: bytes | str) -> None:
        for key, data in files.items():
            self[bucket, key] = data if isinstance(data, bytes) else data.encode()

    def __setitem__(self, place: tuple[str, str], data: bytes) -> None:
        bucket, key = place
        self.objects.setdefault(bucket, {})[key] = data

    def __getitem__(self, place: tuple[str, str]) -> bytes:
        return self.objects[place[0]][place[1]]

    def keys(self, bucket: str) -> list[str]:
        return sorted(self.objects[bucket])

    def refuse(self, request: str, times: int, status: int = 503, code: str = "SlowDown") -> None:
        """Refuse requests that begin so, such as "GET a.png", "LIST" or "PUT"."""
        self.refusals += [(request, status, code)] * times

    def etag(self, data: bytes) -> str:
        digest = hashlib.md5(data if self.etags_are_hashes else b"salt" + data)
        return f'"{digest.hexdigest()}"'

    def refusal_of(self, request: str) -> tuple[int, str] | None:
        with self._lock:
            self.asked[request] += 1
            for refusal in self.refusals:
                if request.startswith(refusal[0]):
                    self.refusals.remove(refusal)
                    return refusal[1:]
        return None

    def unfinished(self) -> dict[str, dict[int, bytes]]:
        """Return the parts of objects that are being written, by key."""
        return {key: parts for _, key, parts in self._uploads.values()}


@contextmanager
def serving(port: int = 0) -> Iterator[FakeBucket]:
    """Serve a bucket on this machine."""
    fake = FakeBucket()

    class Handler(_Handler):
        bucket = fake

    with ThreadingHTTPServer(("127.0.0.1", port), Handler) as httpd:
        thread = threading.Thread(target=httpd.serve_forever, args=(0.01,))
        thread.start()
        fake.url = f"http://127.0.0.1:{httpd.server_port}"
        try:
            yield fake
        finally:
            httpd.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    bucket: FakeBucket

    def handle_method(self, method: str) -> None:
        parts = urlsplit(self.path)
        name, _, key = unquote(parts.path[1:]).partition("/")
        asked = {each: values[0] for each, values in parse_qs(parts.query, True).items()}
        if self.headers.get("Expect") == "100-continue":
            self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")  # or it waits a second for it
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        fake = self.bucket
        fake.signed.add("Authorization" in self.headers)
        word = "LIST" if method == "GET" and not key and "uploads" not in asked else method
        request = f"{word} {key or asked.get('prefix', '')}"
        fake.before(request)
        if refusal := fake.refusal_of(request):
            return self.refuse(*refusal)
        if name not in fake.objects:
            return self.refuse(404, "NoSuchBucket")
        action = getattr(self, f"do_{self._action(method, key, asked)}")
        return action(name, key, asked, body)

    def _action(self, method: str, key: str, asked: dict[str, str]) -> str:
        if "uploads" in asked:
            return {"GET": "list_uploads", "POST": "begin"}[method]
        if "delete" in asked:
            return "delete_many"
        if "uploadId" in asked:
            return {"GET": "list_parts", "PUT": "part", "POST": "complete"}[method]
        return {"GET": "get" if key else "list", "HEAD": "head"}.get(method, method.lower())

    def do_list(self, name: str, key: str, asked: dict[str, str], body: bytes) -> None:
        fake = self.bucket
        most = min(fake.page, int(asked.get("max-keys", 1_000)))
        keys = [
            each
            for each in fake.keys(name)
            if each.startswith(asked.get("prefix", ""))
            and each > asked.get("continuation-token", "")
        ]
        folders = list[str]()
        if "delimiter" in asked:
            keys, folders = self._grouped(keys, asked.get("prefix", ""), asked["delimiter"])
        rows = "".join(
            f"<CommonPrefixes><Prefix>{escape(quote(each))}</Prefix></CommonPrefixes>"
            for each in folders
        ) + "".join(
            f"<Contents><Key>{escape(quote(each))}</Key><LastModified>{DATE}</LastModified>"
            f"<ETag>{escape(fake.etag(fake[name, each]))}</ETag>"
            f"<Size>{len(fake[name, each])}</Size></Contents>"
            for each in keys[:most]
        )
        more = len(keys) > most
        last = escape(keys[most - 1]) if more else ""
        token = f"<NextContinuationToken>{last}</NextContinuationToken>"
        self.answer_xml(
            f"<ListBucketResult><EncodingType>url</EncodingType>"
            f"<IsTruncated>{str(more).lower()}</IsTruncated>{token if more else ''}{rows}"
            "</ListBucketResult>"
        )

    @staticmethod
    def _grouped(keys: list[str], prefix: str, by: str) -> tuple[list[str], list[str]]:
        """Return the keys directly below a prefix, and the folders there."""
        rests = {key: key.removeprefix(prefix) for key in keys}
        folders = {prefix + rest.partition(by)[0] + by for rest in rests.values() if by in rest}
        return [key for key, rest in rests.items() if by not in rest], sorted(folders)

    def do_delete_many(self, name: str, key: str, asked: dict[str, str], body: bytes) -> None:
        for each in ElementTree.fromstring(body).iter():
            if each.tag.endswith("Key"):
                self.bucket.objects[name].pop(each.text or "", None)
        self.answer_xml("<DeleteResult></DeleteResult>")

    def do_get(self, name: str, key: str, asked: dict[str, str], body: bytes) -> None:
        self._send(name, key, whole=True)

    def do_head(self, name: str, key: str, asked: dict[str, str], body: bytes) -> None:
        self._send(name, key, whole=False)

    def _send(self, name: str, key: str, *, whole: bool) -> None:
        fake = self.bucket
        data = fake.objects[name].get(key)
        if data is None:
            return self.refuse(404, "NoSuchKey")
        etag = fake.etag(data)
        if self.headers.get("If-Match", etag) != etag:
            return self.refuse(412, "PreconditionFailed")
        first = int((self.headers.get("Range") or "bytes=0-")[6:].partition("-")[0])
        headers = {"ETag": etag, "Last-Modified": HTTP_DATE}
        if first:
            headers["Content-Range"] = f"bytes {first}-{len(data) - 1}/{len(data)}"
        self.start(206 if first else 200, len(data) - first, headers)
        if whole:
            end = fake.cut.pop(key, len(data))
            self.wfile.write(data[first:end])
            self.close_connection = end < len(data)
        return None

    def do_put(self, name: str, key: str, asked: dict[str, str], body: bytes) -> None:
        if self.headers.get("If-None-Match") and key in self.bucket.objects[name]:
            return self.refuse(412, "PreconditionFailed")
        if not self._is_sound(body):
            return self.refuse(400, "BadDigest")
        self.bucket[name, key] = body
        return self.start(200, 0, {"ETag": self.bucket.etag(body)})

    def do_delete(self, name: str, key: str, asked: dict[str, str], body: bytes) -> None:
        self.bucket.objects[name].pop(key, None)
        self.start(204, 0, {})

    def do_begin(self, name: str, key: str, asked: dict[str, str], body: bytes) -> None:
        upload = f"upload-{next(self.bucket._ids)}"
        self.bucket._uploads[upload] = (name, key, {})
        self.answer_xml(
            f"<InitiateMultipartUploadResult><UploadId>{upload}</UploadId>"
            "</InitiateMultipartUploadResult>"
        )

    def do_list_uploads(self, name: str, key: str, asked: dict[str, str], body: bytes) -> None:
        rows = "".join(
            f"<Upload><Key>{escape(key)}</Key><UploadId>{upload}</UploadId></Upload>"
            for upload, (bucket, key, _) in self.bucket._uploads.items()
            if bucket == name and key.startswith(asked.get("prefix", ""))
        )
        self.answer_xml(f"<ListMultipartUploadsResult>{rows}</ListMultipartUploadsResult>")

    def do_list_parts(self, name: str, key: str, asked: dict[str, str], body: bytes) -> None:
        rows = "".join(
            f"<Part><PartNumber>{number}</PartNumber><ETag>{escape(self.bucket.etag(data))}</ETag>"
            f"<Size>{len(data)}</Size></Part>"
            for number, data in sorted(self.bucket._uploads[asked["uploadId"]][2].items())
        )
        self.answer_xml(
            f"<ListPartsResult><IsTruncated>false</IsTruncated>{rows}</ListPartsResult>"
        )

    def do_part(self, name: str, key: str, asked: dict[str, str], body: bytes) -> None:
        if not self._is_sound(body):
            return self.refuse(400, "BadDigest")
        self.bucket._uploads[asked["uploadId"]][2][int(asked["partNumber"])] = body
        return self.start(200, 0, {"ETag": self.bucket.etag(body)})

    def do_complete(self, name: str, key: str, asked: dict[str, str], body: bytes) -> None:
        numbers = [
            int(each.text or 0)
            for each in ElementTree.fromstring(body).iter()
            if each.tag.endswith("PartNumber")
        ]
        _, _, parts = self.bucket._uploads.pop(asked["uploadId"])
        data = b"".join(parts[number] for number in numbers)
        self.bucket[name, key] = data
        self.answer_xml(
            f"<CompleteMultipartUploadResult><ETag>{escape(self.bucket.etag(data))}</ETag>"
            "</CompleteMultipartUploadResult>"
        )

    def _is_sound(self, body: bytes) -> bool:
        digest = self.headers.get("Content-MD5")
        return digest is None or b64decode(digest) == hashlib.md5(body).digest()

    def answer_xml(self, text: str) -> None:
        data = text.encode()
        self.start(200, len(data), {"Content-Type": "application/xml"})
        self.wfile.write(data)

    def refuse(self, status: int, code: str) -> None:
        text = (
            f"<Error><Code>{code}</Code><Message>of {self.headers.get('Authorization')}</Message>"
        )
        data = f"{text}</Error>".encode()
        self.start(status, len(data), {"Content-Type": "application/xml"})
        if self.command != "HEAD":
            self.wfile.write(data)

    def start(self, status: int, length: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(length)}.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        self.handle_method("GET")

    def do_HEAD(self) -> None:
        self.handle_method("HEAD")

    def do_PUT(self) -> None:
        self.handle_method("PUT")

    def do_POST(self) -> None:
        self.handle_method("POST")

    def do_DELETE(self) -> None:
        self.handle_method("DELETE")


def main(folder: Path, port: int) -> None:
    """Serve the folders in a folder as buckets, until it is stopped."""
    with serving(port) as fake:
        for bucket in folder.iterdir():
            fake.objects[bucket.name] = {
                path.relative_to(bucket).as_posix(): path.read_bytes()
                for path in bucket.rglob("*")
                if path.is_file()
            }
        print(f"{', '.join(f's3://{name}' for name in fake.objects)} at {fake.url}", flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
