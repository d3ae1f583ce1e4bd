"""Whatever a library raises at a boundary becomes an error of ours; its exceptions are found by looking, not listed."""

import asyncio
import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn

import httpx2
import openai
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import safetensors.numpy
from neo4j import exceptions
from safetensors import SafetensorError

from critic.checkpoint import load_critic
from ingest.teacher.cache import ReplyCache
from ingest.teacher.openai import OpenAITeacher
from kg.encoder import Encoder
from kg.errors import KGError
from kg.exchange.target import export_file, export_folder
from kg.lines import file_hash
from kg.snapshot.folder import open_snapshot
from kg.store.bolt import Store
from kg.workspace import Workspace

SNAPSHOT = Path(__file__).parents[1] / "data" / "snapshot"
Patch = pytest.MonkeyPatch
Boundary = Callable[[BaseException, Patch, Path], object]


def tree(*roots: type[BaseException]) -> list[type[BaseException]]:
    """These classes and all below them that their own library defines."""
    home = roots[0].__module__.partition(".")[0]
    found: dict[type[BaseException], None] = dict.fromkeys(roots)
    waiting = list(roots)
    while waiting:
        below = [kind for kind in waiting.pop().__subclasses__() if kind.__module__.partition(".")[0] == home]
        waiting += [kind for kind in below if kind not in found]
        found |= dict.fromkeys(below)
    return list(found)


def made(kind: type[BaseException]) -> BaseException:
    """An instance, whatever its constructor wants."""
    if issubclass(kind, openai.APIError) and not issubclass(kind, openai.APIConnectionError):
        request = httpx2.Request("POST", "http://127.0.0.1:9/v1")
        if not issubclass(kind, openai.APIStatusError | openai.APIResponseValidationError):
            return kind("what it says", request, body=None)
        status = {"RateLimitError": 429, "InternalServerError": 500}.get(kind.__name__, 400)
        error = kind.__new__(kind)
        openai.APIError.__init__(error, "what it says", request, body=None)
        error.response, error.status_code = httpx2.Response(status, request=request), status
        return error
    try:
        return kind("what it says")
    except TypeError:
        return kind.__new__(kind, "what it says")


def raising(error: BaseException) -> Callable[..., NoReturn]:
    def function(*_: object, **__: object) -> NoReturn:
        raise error

    return function


def store_with(error: BaseException, patch: Patch) -> Store:
    store = Store("bolt://127.0.0.1:9", "neo4j", "none", retry_seconds=0)
    store._driver.close()  # noqa: SLF001 - the boundary is below
    fake = SimpleNamespace(session=raising(error), verify_connectivity=raising(error))
    patch.setattr(store, "_driver", fake)
    return store


def embed(error: BaseException, patch: Patch, folder: Path) -> object:
    patch.setattr(sqlite3, "connect", raising(error))
    (folder / "model.safetensors").touch()
    return Encoder(str(folder), folder).encode(["a"])


def keep(error: BaseException, patch: Patch, folder: Path) -> None:
    patch.setattr(sqlite3, "connect", raising(error))
    with ReplyCache.open(folder):
        pass


def keep_inside(error: BaseException, _: Patch, folder: Path) -> None:
    with ReplyCache.open(folder):
        raise error


def open_a_model(error: BaseException, patch: Patch, folder: Path) -> object:
    patch.setattr("transformers.AutoTokenizer.from_pretrained", raising(error))
    patch.setattr("transformers.AutoConfig.from_pretrained", raising(error))
    (folder / "model.safetensors").touch()
    return Encoder(str(folder), folder / "cache").encode(["a"])


def open_a_critic(error: BaseException, patch: Patch, folder: Path) -> object:
    patch.setattr(safetensors.numpy, "load_file", raising(error))
    about = {"kind": "blend", "role": "filter", "format": 2, "relations": []}
    (folder / "critic.json").write_text(json.dumps(about))
    return load_critic(folder, lambda _: None)  # type: ignore[arg-type,return-value]


def open_parquet(error: BaseException, patch: Patch, _: Path) -> object:
    patch.setattr(pq, "read_metadata", raising(error))
    return open_snapshot(SNAPSHOT)


def read_parquet(error: BaseException, patch: Patch, _: Path) -> object:
    snapshot = open_snapshot(SNAPSHOT)
    patch.setattr(pq.ParquetFile, "iter_batches", raising(error))
    return list(snapshot.judgements())


def write_a_file(error: BaseException, _: Patch, folder: Path) -> None:
    with export_file(folder / "f"):
        raise error


def write_a_folder(error: BaseException, _: Patch, folder: Path) -> None:
    with export_folder(folder / "f"):
        raise error


def read_a_file(error: BaseException, patch: Patch, folder: Path) -> object:
    patch.setattr(Path, "open", raising(error))
    return file_hash(folder)


def make_a_workspace(error: BaseException, patch: Patch, folder: Path) -> object:
    patch.setattr(Path, "mkdir", raising(error))
    return Workspace(folder)


def ask(error: BaseException, _: Patch, __: Path) -> object:
    teacher: Any = OpenAITeacher("m", base_url="http://127.0.0.1:9/v1")
    teacher._openai, teacher._client = openai, SimpleNamespace(post=raising(error))  # noqa: SLF001 - what is opened
    return asyncio.run(teacher.ask(teacher.request("a", "b", 1, {})))


def batch(error: BaseException, _: Patch, __: Path) -> None:
    teacher = OpenAITeacher("m", base_url="http://127.0.0.1:9/v1")
    teacher.batch_client()
    with teacher.translated():
        raise error


OS = tree(OSError)
NEO4J = tree(exceptions.Neo4jError, exceptions.DriverError)
SQLITE = tree(sqlite3.Error)
ARROW = tree(pa.lib.ArrowException)
OPENAI = tree(openai.APIError)

BOUNDARIES: dict[str, tuple[Boundary, list[type[BaseException]]]] = {
    "a read": (lambda error, patch, _: store_with(error, patch).read("RETURN 1"), NEO4J),
    "a write": (lambda error, patch, _: store_with(error, patch).write(lambda _: None), NEO4J),
    "a statement": (lambda error, patch, _: store_with(error, patch).run("RETURN 1"), NEO4J),
    "a plan": (lambda error, patch, _: store_with(error, patch).explain("RETURN 1", {}, timeout_seconds=9), NEO4J),
    "an answer": (
        lambda error, patch, _: store_with(error, patch).ask("RETURN 1", {}, limit_rows=1, timeout_seconds=9),
        NEO4J,
    ),
    "a connection": (lambda error, patch, _: store_with(error, patch).verify(), NEO4J),
    "embeddings": (embed, [*SQLITE, *OS]),
    "kept replies": (keep, [*SQLITE, *OS]),
    "kept replies, in use": (keep_inside, [*SQLITE, *OS]),
    "an encoder": (open_a_model, [SafetensorError, *OS]),
    "a critic": (open_a_critic, [SafetensorError, *OS]),
    "a snapshot": (open_parquet, [*ARROW, *OS]),
    "a snapshot's rows": (read_parquet, [*ARROW, *OS]),
    "a file to write": (write_a_file, OS),
    "a folder to write": (write_a_folder, OS),
    "a file to read": (read_a_file, OS),
    "a workspace": (make_a_workspace, OS),
    "a request": (ask, OPENAI),
    "a batch": (batch, OPENAI),
}


@pytest.mark.parametrize("name", BOUNDARIES)
def test_what_a_library_raises_becomes_an_error_of_ours(name: str, tmp_path: Path) -> None:
    boundary, kinds = BOUNDARIES[name]
    untranslated = []
    for kind in kinds:
        error, folder = made(kind), tmp_path / kind.__name__
        folder.mkdir()
        with pytest.MonkeyPatch.context() as patch, pytest.raises(BaseException) as raised:  # noqa: PT011
            boundary(error, patch, folder)
        assert error in causes(raised.value), kind
        if not isinstance(raised.value, KGError) or "\n" in str(raised.value):
            untranslated.append(kind.__name__)
    assert not untranslated
    assert len(kinds) > 1


def causes(error: BaseException | None) -> list[BaseException]:
    """An error and all that it came from."""
    return [error, *causes(error.__cause__ or error.__context__)] if error else []
