"""Batch files: what the folder of a run knows of its batches, and the lines that are sent.

batches.json      the batches, in the order in which they were sent
batch-1.jsonl     what was sent, word for word: the prompts may be others by now
"""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import msgspec
from more_itertools import constrained_batches

from ingest.teacher.messages import Request
from kg import strict_json
from kg.errors import InputError, TeacherError
from kg.workspace import new_file

MOST_REQUESTS = 50_000
MOST_BYTES = 200 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Batch:
    """One batch as the run's folder knows it.

    Attributes:
        id: at the provider.
        file: name of the file in the run's folder with the lines sent.
        requests: how many.
        status: as the provider said last.
        collected: whether its results are in the cache.
        words: of the server's dialect in which its requests were worded, learnt or on trial.
        refused: words in which what the server did not understand can be said; the next batch tries them.
    """

    id: str
    file: Annotated[str, msgspec.Meta(pattern=r"^batch-[0-9]+\.jsonl$")]
    requests: Annotated[int, msgspec.Meta(ge=0)]
    status: str
    collected: bool = False
    words: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()


class _Line(msgspec.Struct):
    custom_id: str
    body: dict[str, Any]


def known_batches(folder: Path) -> list[Batch]:
    """Return the batches that the folder of a run knows, in the order in which they were sent.

    Raises:
        InputError: `batches.json` is damaged.
    """
    path = folder / "batches.json"
    if not path.is_file():
        return []
    try:
        return msgspec.json.decode(path.read_bytes(), type=list[Batch])
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        why = " ".join(str(error).split())[:200]
        raise InputError(
            f"{path} is damaged: {why}; move it away, and kg ingest batch status finds the provider's batches again"
        ) from error


def save_batches(folder: Path, batches: Iterable[Batch]) -> None:
    """Keep the batches of a run in its folder."""
    with new_file(folder / "batches.json") as draft:
        content = strict_json.write([asdict(batch) for batch in batches], indent=1)
        draft.write_text(content + "\n", encoding="utf-8")


def sent_requests(folder: Path, batch: Batch, url: str, count: int) -> dict[str, Request]:
    """Return the requests of a batch, by the keys under which they were sent.

    Args:
        folder: of the run.
        batch: one of its batches.
        url: where its requests would go without a batch.
        count: texts that each of them asks for.

    Raises:
        InputError: the batch's file is damaged or missing.
    """
    path = folder / batch.file
    found = {}
    for number, line in enumerate(_lines(path), 1):
        try:
            row = msgspec.json.decode(line, type=_Line)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise InputError(f"{path}, line {number}, is damaged: {' '.join(str(error).split())[:200]}") from error
        found[row.custom_id] = Request(row.custom_id, url, row.body, count)
    return found


def files_of(requests: Iterable[Request], endpoint: str) -> Iterator[tuple[bytes, ...]]:
    """Yield the lines of the requests, parted into files within the provider's limits.

    Raises:
        TeacherError: a request alone is too large.
    """
    lines = (_line(request, endpoint) for request in requests)
    return constrained_batches(lines, MOST_BYTES, MOST_REQUESTS)


def _line(request: Request, endpoint: str) -> bytes:
    row = {"custom_id": request.key, "method": "POST", "url": endpoint, "body": request.body}
    line = (strict_json.write(row) + "\n").encode()
    if len(line) > MOST_BYTES:
        raise TeacherError(f"request {request.id} alone has {len(line):,} bytes; a batch file may have {MOST_BYTES:,}")
    return line


def _lines(path: Path) -> list[bytes]:
    try:
        return [line for line in path.read_bytes().split(b"\n") if line]
    except FileNotFoundError as error:
        raise InputError(f"{path} is missing, so what was sent by this batch is not known") from error
