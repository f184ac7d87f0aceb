"""A stand-in for a hub of models: what Hugging Face's client asks of one, over HTTP."""

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TOKEN = "hf_secret"


class Hub:
    """Repositories with their files, and large files by their SHA-256."""

    def __init__(self) -> None:
        self.repositories: dict[str, dict[str, bytes]] = {}
        self.private: dict[str, bool] = {}
        self.large: dict[str, bytes] = {}
        self.sent: list[str] = []  # large files, each time that they came
        self.failing_commits = 0
        self.address = ""

    def commit(self, repository: str, lines: list[dict[str, Any]]) -> None:
        files = self.repositories[repository]
        for line in lines:
            value = line["value"]
            if line["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                files[value["path"]] = self.large[value["oid"]]


@contextmanager
def running() -> Iterator[Hub]:
    """Serve a hub while the block runs."""
    hub = Hub()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            pass

        def do_GET(self) -> None:
            self._answer(_get(hub, self.path) if self._allowed() else (401, {}))

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self._answer(_post(hub, self.path, body) if self._allowed() else (401, {}))

        def do_PUT(self) -> None:
            data = self.rfile.read(int(self.headers["Content-Length"]))
            digest = hashlib.sha256(data).hexdigest()
            hub.large[digest] = data
            hub.sent.append(digest)
            self._answer((200, {}))

        def _allowed(self) -> bool:
            return self.headers.get("Authorization") == f"Bearer {TOKEN}"

        def _answer(self, answer: tuple[int, dict[str, Any]]) -> None:
            status, value = answer
            data = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            if "error_code" in value:
                self.send_header("X-Error-Code", value["error_code"])
            self.end_headers()
            self.wfile.write(data)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _get(hub: Hub, path: str) -> tuple[int, dict[str, Any]]:
    repository = path.removeprefix("/api/models/").partition("?")[0]
    if repository not in hub.repositories:
        return 404, {"error": "Repository not found", "error_code": "RepoNotFound"}
    return 200, {"id": repository, "private": hub.private[repository], "siblings": [], "sha": "1"}


def _post(hub: Hub, path: str, body: bytes) -> tuple[int, dict[str, Any]]:
    repository = "/".join(path.removeprefix("/api/models/").split("/")[:2])
    if path == "/api/validate-yaml":
        return 200, {"errors": [], "warnings": []}
    if path.endswith("/commit/main"):
        if hub.failing_commits:
            hub.failing_commits -= 1
            return 400, {"error": "Something broke here"}
        hub.commit(repository, [json.loads(line) for line in body.splitlines()])
        address = f"{hub.address}/{repository}/commit/1"
        return 200, {"success": True, "commitOid": "1", "commitUrl": address}
    value = json.loads(body)
    if path == "/api/repos/create":
        name = f"{value.get('organization') or 'somebody'}/{value['name']}"
        hub.repositories[name] = {}
        hub.private[name] = value.get("private") or value.get("visibility") == "private"
        return 200, {"url": f"{hub.address}/{name}"}
    if path.endswith("/preupload/main"):
        return 200, {"files": [_mode(file["path"]) for file in value["files"]]}
    if path.endswith(".git/info/lfs/objects/batch"):
        return 200, {"transfer": "basic", "objects": [_upload(hub, o) for o in value["objects"]]}
    return 404, {"error": path}


def _mode(path: str) -> dict[str, Any]:
    large = path.endswith(".safetensors")
    return {"path": path, "uploadMode": "lfs" if large else "regular", "shouldIgnore": False}


def _upload(hub: Hub, wanted: dict[str, Any]) -> dict[str, Any]:
    if wanted["oid"] in hub.large:
        return wanted
    return {**wanted, "actions": {"upload": {"href": f"{hub.address}/lfs/{wanted['oid']}"}}}
