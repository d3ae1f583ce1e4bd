"""A provider on loopback: completions, chat, files and batches, the starter corpus's texts, and any misbehaviour.

It runs in a thread of the test, or as a process of its own (`python -m tests.teacher.provider SECONDS [dirty]`), and
keeps what it was asked and what it billed.
"""

import asyncio
import hashlib
import json
import sys
import threading
from collections import Counter, defaultdict
from collections.abc import Callable
from typing import Any, Self

from aiohttp import web

from ingest.teacher.rendering import Pair, put_names
from kg.readings import STARTER

ENDS = {
    "comes across as": "xAttr", "feels": "xReact", "intends": "xIntent", "wants": "xWant", "has": "xNeed",
    "It cannot happen if": "HinderedBy",
}  # fmt: skip
"""How the open end of a prompt of `paper` tells the relation; only xEffect ends with the name."""
Body = dict[str, Any]
Misbehaviour = Callable[[int, Body], Any]
"""Number of the request (from 1) and its body, to None, a web.Response, raw bytes, or a coroutine that returns one."""


class Provider:
    """One provider. Use it as a context manager.

    Attributes:
        misbehave: asked before each reply of completions and chat.
        bodies: of all the requests, in their order.
        keys: how often each idempotency key was answered with a text.
        url: its address.
        most: most requests that were being answered at once.
        batches: by id.
        seconds: how long each reply takes.
        elsewhere: status and address to which every request is sent on, if any.
        handle: answers every request instead, if there is one.
        asked: path and headers of every request of any kind.
        dirty: whether what it makes up about unknown events is as mixed as a model's.
    """

    def __init__(self, seconds: float = 0.0, *, dirty: bool = False) -> None:
        self.dirty = dirty
        self.misbehave: Misbehaviour = lambda _number, _body: None
        self.on_batch: Callable[[dict[str, Any]], None] = lambda _batch: None
        self.bodies: list[Body] = []
        self.headers: list[Any] = []
        self.queries: list[str] = []
        self.keys: Counter[str] = Counter()
        self.files: dict[str, bytes] = {}
        self.handle: Callable[[web.Request], Any] | None = None
        self.elsewhere: tuple[int, str] | None = None
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.batches: dict[str, dict[str, Any]] = {}
        self.seconds = seconds
        self.most = self._now = 0
        self.tails: dict[tuple[str, str], list[str]] = defaultdict(list)
        for line in (STARTER / "completions.jsonl").read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            self.tails[put_names(row["event"], Pair("Alex", "Chris")), row["relation"]] = row["tails"]
        self.by_relation: dict[str, list[str]] = defaultdict(list)
        for (_, relation), tails in sorted(self.tails.items()):
            self.by_relation[relation] += tails
        self.events = sorted({put_names(event, Pair("PersonX", "PersonY")) for event in self._heads()})

    def __enter__(self) -> Self:
        ready = threading.Event()
        self._loop = asyncio.new_event_loop()

        async def start() -> None:
            application = web.Application(client_max_size=300 * 1024**2, middlewares=[self._send_on])
            application.add_routes([
                web.post("/v1/completions", self._complete), web.post("/v1/chat/completions", self._complete),
                web.post("/v1/files", self._upload), web.get("/v1/files/{id}/content", self._content),
                web.post("/v1/batches", self._submit), web.get("/v1/batches", self._list),
                web.get("/v1/batches/{id}", self._batch),
                web.post("/v1/batches/{id}/cancel", self._batch),
            ])  # fmt: skip
            self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
            await self._runner.setup()
            site = web.TCPSite(self._runner, "127.0.0.1", 0, backlog=1024)
            await site.start()
            self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/v1"
            ready.set()

        def serve() -> None:
            asyncio.set_event_loop(self._loop)
            self._loop.run_until_complete(start())
            self._loop.run_forever()

        self._thread = threading.Thread(target=serve, daemon=True)
        self._thread.start()
        assert ready.wait(20)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._runner.cleanup(), self._loop).result(20)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(20)
        self._loop.close()

    @web.middleware
    async def _send_on(self, request: web.Request, handler: Callable[[web.Request], Any]) -> web.StreamResponse:
        self.asked.append((request.path, dict(request.headers)))
        if self.elsewhere:
            status, address = self.elsewhere
            await request.read()
            location = address + request.path_qs.removeprefix("/v1")
            return web.Response(status=status, headers={"Location": location})
        return await (self.handle or handler)(request)

    async def _complete(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.bodies.append(body)
        self.headers.append(request.headers)
        self.queries.append(request.query_string)
        self._now += 1
        self.most = max(self.most, self._now)
        try:
            if self.seconds:
                await asyncio.sleep(self.seconds)
            answer = self.misbehave(len(self.bodies), body)
            if asyncio.iscoroutine(answer):
                answer = await answer
            if answer == "reset":
                request.transport.abort()
                return web.Response()
            if answer == "drip":
                return await self._drip(request)
            if isinstance(answer, bytes):  # HTTP as nobody should speak it
                request.transport.write(answer)
                request.transport.close()
                return web.Response()
            if answer is not None:
                return answer
            self.keys[request.headers.get("Idempotency-Key", "")] += 1
            return web.json_response(self.reply(body))
        finally:
            self._now -= 1

    async def _drip(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        for _ in range(200):
            await response.write(b" ")
            await asyncio.sleep(0.05)
        return response

    def reply(self, body: Body) -> Body:
        """The body of a good reply."""
        chat = "messages" in body
        prompt = body["messages"][-1]["content"] if chat else body["prompt"]
        count = body.get("n", 1)
        if chat:
            count = int(prompt.split("Write ", 1)[1].split()[0]) if "Write " in prompt else 10
        texts = self.texts(prompt, count)
        usage = {"prompt_tokens": len(prompt) // 4, "completion_tokens": sum(len(text.split()) + 1 for text in texts)}
        if chat:
            message = {"role": "assistant", "content": json.dumps({"items": texts}, ensure_ascii=False)}
            choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
        else:
            choices = [
                {
                    "index": place,
                    "text": f" {text}.",
                    "finish_reason": "stop",
                    "logprobs": {"token_logprobs": numbers(text)},
                }
                for place, text in enumerate(texts)
            ]
        return {"id": "x", "model": f"{body['model']}-2026-11-01", "choices": choices, "usage": usage}

    def texts(self, prompt: str, count: int) -> list[str]:
        end = prompt.rstrip().rsplit("\n", 1)[-1]
        mark = int(hashlib.sha256(prompt.encode()).hexdigest()[:8], 16)
        if end.endswith("Event:"):
            return [self.events[(mark + 7 * place) % len(self.events)] for place in range(count)]
        relation = next((name for ending, name in ENDS.items() if end.endswith(ending)), "xEffect")
        known = next(
            (
                tails
                for (event, name), tails in self.tails.items()
                if name == relation and event in prompt.rsplit("\n\n", 1)[-1]
            ),
            None,
        )
        if not known and self.dirty:
            return self.mixed(relation, mark, count, end)
        tails = known or [f"to do thing {mark % 1000 + place}" for place in range(count)]
        return [tails[place % len(tails)] for place in range(count)]

    def mixed(self, relation: str, mark: int, count: int, end: str) -> list[str]:
        """Tails of other events, as a model writes them: some twice, too short, in French, or the prompt again."""
        others = self.by_relation[relation]
        texts = [others[(mark + 97 * place) % len(others)] for place in range(count)]
        for place in range(count):
            dirt = (mark // 7 + 31 * place) % 100
            if dirt < 8:
                texts[place] = texts[0]
            elif dirt < 11:
                texts[place] = "ok"
            elif dirt < 13:
                texts[place] = end
            elif dirt < 25:
                texts[place] += "."
        if mark % 50 == 0:
            texts = ["appeler un taxi", "rentrer à pied", "attendre le prochain bus sous la pluie"]
        return texts

    async def _upload(self, request: web.Request) -> web.Response:
        form = await request.post()
        name = f"file-{len(self.files)}"
        self.files[name] = form["file"].file.read()
        return web.json_response({"id": name, "object": "file", "bytes": len(self.files[name]), "created_at": 0,
                                  "filename": "x.jsonl", "purpose": "batch", "status": "processed"})  # fmt: skip

    async def _content(self, request: web.Request) -> web.Response:
        return web.Response(body=self.files[request.match_info["id"]])

    async def _submit(self, request: web.Request) -> web.Response:
        body = await request.json()
        name = f"batch-{len(self.batches)}"
        rows = [json.loads(line) for line in self.files[body["input_file_id"]].decode().splitlines()]
        done = [
            {"id": "r", "custom_id": row["custom_id"], "error": None,
             "response": {"status_code": 200, "request_id": "q", "body": self.reply(row["body"])}}
            for row in rows
        ]  # fmt: skip
        for row in rows:
            self.keys[json.dumps(row["body"], sort_keys=True)] += 1
        output = f"file-{len(self.files)}"
        self.files[output] = "".join(json.dumps(row) + "\n" for row in done).encode()
        self.batches[name] = {
            "id": name, "object": "batch", "endpoint": body["endpoint"], "input_file_id": body["input_file_id"],
            "completion_window": "24h", "created_at": 0, "status": "completed", "output_file_id": output,
            "error_file_id": None, "errors": None, "metadata": body.get("metadata"),
            "request_counts": {"total": len(rows), "completed": len(rows), "failed": 0},
        }  # fmt: skip
        self.on_batch(self.batches[name])
        return web.json_response(self.batches[name] | {"status": "validating", "output_file_id": None})

    async def _list(self, _request: web.Request) -> web.Response:
        return web.json_response({"object": "list", "data": list(self.batches.values()), "has_more": False})

    async def _batch(self, request: web.Request) -> web.Response:
        return web.json_response(self.batches[request.match_info["id"]])

    @staticmethod
    def _heads() -> list[str]:
        rows = (STARTER / "completions.jsonl").read_text(encoding="utf-8").splitlines()
        return [json.loads(line)["event"] for line in rows]


def numbers(text: str) -> list[float]:
    """Log-probabilities of a text's words, always the same ones."""
    return [-(int(hashlib.sha256(word.encode()).hexdigest()[:4], 16) % 500) / 100 for word in text.split()]


def error(
    status: int, message: str = "no", code: str | None = None, param: str | None = None, **headers: str
) -> web.Response:
    """A provider's error."""
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    body = {"error": {"message": message, "code": code, "type": "x", "param": param}}
    return web.json_response(body, status=status, headers=names)


def said(content: str, finish: str = "stop", **message: Any) -> web.Response:
    """A chat reply that says just this."""
    choice = {"index": 0, "message": {"role": "assistant", "content": content, **message}, "finish_reason": finish}
    usage = {"prompt_tokens": 100, "completion_tokens": 50}
    return web.json_response({"model": "m", "choices": [choice], "usage": usage})


if __name__ == "__main__":
    with Provider(float(sys.argv[1]), dirty="dirty" in sys.argv) as provider:
        print(provider.url, flush=True)
        sys.stdin.read()
