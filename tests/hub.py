"""A hub of models and data sets on loopback: repositories, and commits of small and large files."""

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

TOKEN = "hf_of_the_test"  # noqa: S105 - opens nothing
LARGE = (".safetensors", ".json")  # some small files go the way of the large ones, too


class Hub:
    """What the hub has got.

    Attributes:
        repositories: name to whether it is private; of a data set with "datasets/" before it.
        files: name of a repository to path to content.
        address: of the hub.
        refuses: a status that commits are answered with.
        objects_to: what it has against the card.
    """

    def __init__(self) -> None:
        self.repositories: dict[str, bool] = {}
        self.files: dict[str, dict[str, bytes]] = {}
        self.large: dict[str, bytes] = {}
        self.address = ""
        self.refuses: int | None = None
        self.objects_to: str | None = None


@contextmanager
def running() -> Iterator[Hub]:  # noqa: C901 - one answer for each address
    """Run a hub on loopback."""
    hub = Hub()

    class Answer(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the name of the library
            pass

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if self.headers.get("Authorization") != f"Bearer {TOKEN}":
                self._say({"error": "Invalid username or password."}, 401)
            elif self.path == "/api/repos/create":
                self._create(json.loads(body))
            elif self.path == "/api/validate-yaml":
                errors = [{"message": hub.objects_to}] if hub.objects_to else []
                self._say({"errors": errors, "warnings": []}, 400 if errors else 200)
            elif "/preupload/" in self.path:
                names = [file["path"] for file in json.loads(body)["files"]]
                modes = {name: "lfs" if name.endswith(LARGE) else "regular" for name in names}
                self._say({"files": [{"path": name, "uploadMode": mode, "shouldIgnore": False, "oid": None}
                                     for name, mode in modes.items()]})  # fmt: skip
            elif self.path.endswith("/info/lfs/objects/batch"):
                self._say({"transfer": "basic", "objects": [
                    one | {"actions": {"upload": {"href": f"{hub.address}/large/{one['oid']}"}}}
                    for one in json.loads(body)["objects"]
                ]})  # fmt: skip
            elif "/commit/" in self.path:
                self._commit(self.path.split("/commit/")[0].removeprefix("/api/").removeprefix("models/"), body)
            else:
                self._say({"error": f"no such address: {self.path}"}, 404)

        def do_GET(self) -> None:
            name, is_tree, _ = self.path.removeprefix("/api/").removeprefix("models/").partition("/tree/")
            if not is_tree:
                self._say({"error": f"no such address: {self.path}"}, 404)
                return
            self._say([{"type": "file", "path": path, "size": len(content), "oid": "b" * 40}
                       for path, content in hub.files.get(name, {}).items()])  # fmt: skip

        def do_PUT(self) -> None:
            hub.large[self.path.rpartition("/")[2]] = self.rfile.read(int(self.headers["Content-Length"]))
            self._say({})

        def _create(self, asked: dict[str, Any]) -> None:
            kind = "datasets/" if asked.get("type") == "dataset" else ""
            name = f"{kind}{asked.get('organization') or 'me'}/{asked['name']}"
            if name in hub.repositories:
                self._say({"error": "You already created this repo", "url": f"{hub.address}/{name}"}, 409)
                return
            hub.repositories[name] = asked.get("private") or asked.get("visibility") == "private"
            self._say({"url": f"{hub.address}/{name}", "name": name})

        def _commit(self, name: str, body: bytes) -> None:
            if hub.refuses:
                self._say({"error": "the card's licence is no licence"}, hub.refuses)
                return
            files = hub.files.setdefault(name, {})
            for part in map(json.loads, body.splitlines()):
                value = part["value"]
                if part["key"] == "file":
                    files[value["path"]] = base64.b64decode(value["content"])
                elif part["key"] == "lfsFile":
                    files[value["path"]] = hub.large[value["oid"]]
                elif part["key"] == "deletedFile":
                    del files[value["path"]]
            self._say({"success": True, "commitOid": "a" * 40, "commitUrl": f"{hub.address}/{name}/commit/{'a' * 40}",
                       "pullRequestUrl": None})  # fmt: skip

        def _say(self, content: object, status: int = 200) -> None:
            said = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    hub.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def reachable() -> Iterator[Hub]:
    """Run a hub to which this process would send."""
    with pytest.MonkeyPatch.context() as patch, running() as hub:
        patch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)
        patch.setenv("HF_TOKEN", TOKEN)
        patch.setenv("HF_ENDPOINT", hub.address)
        yield hub
