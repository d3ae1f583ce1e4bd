"""What a hostile, broken or careless server can do to us: nothing but fail a request, and learn no secret of ours."""

import gzip
import json
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psutil
import pytest
from aiohttp import web

from ingest.teacher import transport
from ingest.teacher.batch import Batches
from ingest.teacher.blotting import blot, split_address
from ingest.teacher.lesson import Lesson
from ingest.teacher.openai import OpenAITeacher
from ingest.teacher.plan import Plan
from kg.errors import KGError, TeacherError
from kg.vocabulary import Vocabulary
from kg.workspace import Workspace
from tests.repeats import only_thorough
from tests.teacher.conftest import EVENTS, PRICE, Ask
from tests.teacher.provider import Provider, error, said

FIRST = EVENTS[0]
KEY = "tok/never+seen-0123456789"


@pytest.fixture
def other() -> Iterator[Provider]:
    with Provider() as opened:
        yield opened


@pytest.fixture
def batches(provider: Provider, tmp_path: Path) -> Iterator[Callable[[], Batches]]:
    with ExitStack() as stack:

        def opened() -> Batches:
            relations = (Vocabulary.load("skd")["xWant"],)
            plan = Plan("inferences", "m", "chat", provider.url, "paper", "en", 3, EVENTS, relations=relations)
            return Batches(stack.enter_context(Lesson.open(Workspace(tmp_path), plan)))

        yield opened


@pytest.mark.parametrize("status", [300, 301, 302, 303, 307, 308])
@pytest.mark.parametrize("interface", ["chat", "completions"])
@pytest.mark.parametrize("query", ["", "?api-version=2026-01-01"])
def test_a_redirect_is_not_followed(
    ask: Ask, provider: Provider, other: Provider, status: int, interface: str, query: str
) -> None:
    provider.elsewhere = status, other.url.replace("127.0.0.1", "user:pw@localhost")
    provider.url += query
    with pytest.raises(TeacherError, match=rf"redirects \({status}\) to localhost, where nothing is sent") as caught:
        ask(interface=interface, key=KEY, in_flight=1)
    assert other.asked == []
    assert len(provider.asked) == 1
    assert "pw" not in str(caught.value)


@pytest.mark.parametrize("query", ["", "?api-version=2026-01-01"])
@pytest.mark.parametrize("step", ["submit", "refresh"])
def test_a_redirect_of_files_and_batches_is_not_followed(
    batches: Callable[[], Batches], provider: Provider, other: Provider, query: str, step: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    provider.url += query
    if step != "submit":
        batches().submit()
    provider.elsewhere = 307, other.url
    with pytest.raises(TeacherError, match=r"redirects \(307\) to 127\.0\.0\.1"):
        batches().submit() if step == "submit" else batches().refresh()
    assert other.asked == []


def test_the_download_of_results_is_not_redirected(
    batches: Callable[[], Batches], provider: Provider, other: Provider
) -> None:
    batches().submit()
    one = batches()
    (found,) = one.refresh()
    provider.elsewhere = 302, other.url
    with pytest.raises(TeacherError, match="redirects"):
        list(one._lines(found[1].output_file_id))  # noqa: SLF001 - the step in the middle of collecting
    assert other.asked == []


ECHOES = {
    "a wrong key": lambda: error(401, f"Incorrect API key provided: {KEY}."),
    "a bad request": lambda: error(400, f"Authorization: Bearer {KEY}"),
    "a page": lambda: web.Response(status=502, text=f"<html>{KEY}</html>", content_type="text/html"),
    "a header": lambda: b"HTTP/1.1 200 x\r\nX " + KEY.encode() + b": y\r\n\r\n",
    "a reply": lambda: said(json.dumps({"items": [f"to use {KEY}", "to rest", "to eat"]})),
    "a reply with escapes": lambda: web.Response(
        text=json.dumps({"choices": [{"message": {"content": json.dumps({"items": [f"use {KEY}"]})}}]})
        .replace("tok", r"\u0074ok")
        .replace("/", r"\/"),
        content_type="application/json",
    ),
    "a reply with escapes inside": lambda: said(json.dumps({"items": [f"use {KEY}"]}).replace("/", r"\/")),
    "a refusal": lambda: said("", refusal=f"I will not tell {KEY}"),
    "no list": lambda: said(f"your key is {KEY}"),
    "no JSON": lambda: web.Response(text=f"your key is {KEY}"),
    "the model's name": lambda: web.json_response({"choices": [{"message": {"content": '["to rest"]'}}], "model": KEY}),
    "a redirect": lambda: web.Response(status=307, headers={"Location": f"http://{KEY.replace('/', '.')}/{KEY}"}),
}


@pytest.mark.parametrize("name", ECHOES)
def test_a_key_that_is_said_back_is_neither_printed_nor_kept(
    ask: Ask, provider: Provider, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    provider.misbehave = lambda _number, _body: ECHOES[name]()
    heard = ""
    try:
        asked = ask(in_flight=1)
        heard = repr([(one.reply.completions if one.reply else None, one.failure) for one in asked.outcomes.values()])
        heard += repr(asked.tally)
    except TeacherError as error:
        heard = str(error)
    assert heard
    kept = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    for key in (KEY, KEY.replace("/", r"\/")):
        assert key not in heard
        assert key.encode() not in kept
    assert provider.headers[0]["Authorization"] == f"Bearer {KEY}"


def test_a_key_in_the_results_of_a_batch_is_not_kept(
    batches: Callable[[], Batches], provider: Provider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)

    def end(state: dict[str, Any]) -> None:
        first, *rest = provider.files[state["output_file_id"]].splitlines(keepends=True)
        fault = {"custom_id": json.loads(first)["custom_id"], "error": {"message": f"wrong key {KEY}"}}
        rest[0] = rest[0].replace(b"to ", KEY.encode() + b" ")
        junk = f"junk {KEY}\n".encode()
        provider.files[state["output_file_id"]] = json.dumps(fault).encode() + b"\n" + junk + b"".join(rest)

    provider.on_batch = end
    batches().submit()
    batches().collect()
    for path in tmp_path.rglob("*"):
        assert not path.is_file() or KEY.encode() not in path.read_bytes(), path


@pytest.mark.parametrize(
    "address",
    [
        "https://user:hush@h/v1",
        "https://hush@h/v1",
        "user:hush@h/v1",
        "https://h/v1?key=hush",
        "https://h/v1?api_key=hush&api-version=1",
        "https://h/v1?api-version=1;sig=hush",
        "https://h/v1?Access-Token=hush",
        "https://h/v1?%6bey=hush",
        "https://h/v1?client_secret=hush",
        "https://h/v1?password=hush",
        "https://h/v1?code=hush",
        "https://h/v1?sk-hush",
        "https://h/v1?a=sk-hush",
        "https://h/v1#token=hush",
        "ftp://h/v1?key=hush",
        "https://[hush/v1",
        "https://h:hush/v1",
    ],
)
@pytest.mark.parametrize("by", ["option", "environment"])
def test_a_secret_in_an_address_is_refused_and_not_repeated(
    address: str, by: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", address if by == "environment" else "")
    with pytest.raises(TeacherError, match="address") as caught:
        OpenAITeacher("m", base_url=address if by == "option" else None, api_key="x")
    assert "hush" not in str(caught.value)
    if "[" not in address and "h:" not in address.replace("https:", ""):
        assert "OPENAI_API_KEY" in str(caught.value)


@pytest.mark.parametrize(
    "address",
    [
        "https://h.example/openai/deployments/x?api-version=2026-01-01",
        "https://h.example/v1/@cf/meta?region=eu&deployment=design",
        "http://127.0.0.1:8000/v1",
    ],
)
def test_an_address_without_a_secret_is_kept_whole(address: str) -> None:
    assert split_address(address).geturl() == address


def test_the_key_itself_in_an_address_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "abcdefgh12345")
    with pytest.raises(TeacherError, match="has the key in it") as caught:
        split_address("https://h/abcdefgh12345/v1")
    assert "abcdefgh" not in str(caught.value)


def test_a_key_that_is_a_word_takes_no_letters_out_of_others() -> None:
    assert blot("to go to a golden gate: go!", "go") == "to go to a golden gate: go!", "too short for a key"
    assert blot("ollama is no llama; key=ollama", "llama") == "ollama is no [key]; key=ollama"


def test_a_key_that_cannot_be_one_is_said_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-hush\nhush")
    with pytest.raises(TeacherError, match="OPENAI_API_KEY has a space or another character") as caught:
        OpenAITeacher("m", base_url="https://h/v1")
    assert "hush" not in str(caught.value)


LARGE = 200 * 1024**2
SPACE = b" " * 1024**2


async def _flood(request: web.Request, head: dict[str, str], chunks: Iterator[bytes], status: int = 200) -> Any:
    response = web.StreamResponse(status=status, headers={"Content-Type": "application/json", **head})
    await response.prepare(request)
    for chunk in chunks:
        await response.write(chunk)
    return response


def _packed() -> bytes:
    packer = zlib.compressobj(wbits=31)
    return b"".join([*(packer.compress(SPACE) for _ in range(LARGE // len(SPACE))), packer.flush()])


FLOODS: dict[str, Callable[[], tuple[dict[str, str], Iterator[bytes], int]]] = {
    "chunked": lambda: ({}, (SPACE for _ in range(LARGE // len(SPACE))), 200),
    "with its length": lambda: ({"Content-Length": str(LARGE)}, (SPACE for _ in range(LARGE // len(SPACE))), 200),
    "packed": lambda: ({"Content-Encoding": "gzip"}, iter([_packed()]), 200),
    "packed twice": lambda: ({"Content-Encoding": "gzip, gzip"}, iter([gzip.compress(_packed())]), 200),
    "packed otherwise": lambda: ({"Content-Encoding": "br"}, iter([b"x" * 1000]), 200),
    "not packed at all": lambda: ({"Content-Encoding": "gzip"}, iter([b"{}"]), 200),
    "an error": lambda: ({}, (SPACE for _ in range(LARGE // len(SPACE))), 400),
    "a packed error": lambda: ({"Content-Encoding": "gzip"}, iter([_packed()]), 500),
}


@pytest.fixture
def flooding(provider: Provider) -> Callable[[str], None]:
    """Let every request be answered by a flood."""

    def flood(name: str) -> None:
        async def handle(request: web.Request) -> web.StreamResponse:
            provider.bodies.append(await request.json())
            head, chunks, status = FLOODS[name]()
            return await _flood(request, head, chunks, status)

        provider.handle = handle

    return flood


@pytest.mark.parametrize("name", FLOODS)
def test_a_flood_is_one_requests_failure_within_bounds(
    ask: Ask, provider: Provider, name: str, flooding: Callable[[str], None]
) -> None:
    ask(events=("PersonX warms up",))
    provider.bodies.clear()
    flooding(name)
    peak, process = 0, psutil.Process()
    before = process.memory_info().rss
    send = transport._Unpacking._counted  # noqa: SLF001 - where memory is looked at

    def look(self: Any, piece: bytes) -> bytes:
        nonlocal peak
        peak = max(peak, process.memory_info().rss)
        return send(self, piece)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(transport._Unpacking, "_counted", look)  # noqa: SLF001
        asked = ask(events=EVENTS[:1], seconds=20)
    assert asked.outcomes[FIRST].failure
    assert asked.tally.failed == 1
    assert peak - before < 100 * 1024**2, "the flood itself comes from this process, too"
    assert len(provider.bodies) <= 3
    request = next(iter(asked.outcomes.values())).request
    assert asked.budget.spent >= PRICE.of(request.assumed_usage) * len(provider.bodies), "it may have been paid for"


def test_a_packed_reply_is_read(ask: Ask, provider: Provider) -> None:
    def packed(_number: int, body: dict[str, Any]) -> web.Response:
        content = gzip.compress(json.dumps(provider.reply(body)).encode())
        return web.Response(body=content, headers={"Content-Encoding": "gzip", "Content-Type": "application/json"})

    provider.misbehave = packed
    assert len(ask().texts(FIRST)) == 3
    assert provider.headers[0]["Accept-Encoding"] == "gzip"


@only_thorough
def test_results_of_a_batch_go_to_disk_within_their_own_bound(
    batches: Callable[[], Batches], provider: Provider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def end(state: dict[str, Any]) -> None:
        provider.files[state["output_file_id"]] += b'{"junk": "' + b"x" * LARGE + b'"}\n' + SPACE

    provider.on_batch = end
    batches().submit()
    before = psutil.Process().memory_info().rss
    done = batches().collect()
    assert (done.replies, done.failed) == (3, 0)
    assert psutil.Process().memory_info().rss - before < 100 * 1024**2
    assert list((tmp_path / "runs").glob("*/*")) != []
    monkeypatch.setattr(transport, "MOST_FILE_BYTES", 1000)
    with pytest.raises(KGError, match="the answer has more than"):
        list(batches()._lines(provider.batches["batch-0"]["output_file_id"]))  # noqa: SLF001
