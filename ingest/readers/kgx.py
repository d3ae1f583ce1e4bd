"""KGX's JSON Lines (Biolink): edges whose nodes are in a file beside them."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from ingest.readers.rows import (
    Rows,
    as_details,
    check_unicode,
    clean_part,
    json_object,
    parse_rows,
    read_number,
    read_split,
    text_of,
)
from kg.errors import InputError
from kg.exchange.kgx import pair_of
from kg.identity import phrase_id
from kg.lines import Line, Rejected, read_lines
from kg.model import NOTHING, Assertion, Triple
from kg.vocabulary import Vocabulary

_OWN = {
    "id", "subject", "predicate", "object", "knowledge_level", "agent_type", "split", "runs", "predicted", "logprob",
    "score", "critic", "accepted", "weight", "sources", "details",
    "published",
}  # fmt: skip
Node = tuple[str, str, str]


def read_nodes(path: Path, lang: str) -> tuple[dict[str, Node], list[Rejected]]:
    """Return text, language and URI of each node in the file beside one of edges, and the lines that are no node.

    All of them are held in memory.

    Raises:
        InputError: the file is missing.
    """
    nodes: dict[str, Node] = {}
    bad: list[Rejected] = []
    name = pair_of(path)[0].name
    for line in read_lines(pair_of(path)[0]):
        if isinstance(line, Rejected):
            bad.append(Rejected(line.line, f"{name}: {line.reason}", line.text))
            continue
        try:
            row = json_object(line.text)
            key = clean_part(text_of(row, "id"), "id")
            text = clean_part(text_of(row, "name") if row.get("name") else key, "name")
            own = clean_part(str(row.get("lang") or lang), "lang")
            uri = row.get("uri") or ("" if key in (NOTHING, phrase_id(text, own)) else key)
            node = (text, own, clean_part(str(uri), "uri") if uri else "")
        except InputError as error:
            bad.append(Rejected(line.number, f"{name}: {error}", line.text))
            continue
        if nodes.setdefault(key, node) != node:
            reason = f"{name}: id {key[:80]!r} is that of an earlier line, which says something else"
            bad.append(Rejected(line.number, reason, line.text))
    return nodes, bad


def read_kgx(
    lines: Iterable[Line | Rejected],
    vocabulary: Vocabulary,
    lang: str,  # noqa: ARG001 - the nodes have theirs
    nodes: dict[str, Node] | None = None,
) -> Rows:
    """Yield the edges of a KGX file; what is not the graph's own is kept in `details` under `kgx`.

    They are asserted by the run that reads them: who predicted and accepted them in another graph is not taken over.

    Args:
        lines: of the file of edges.
        vocabulary: relations that may occur, as the last part of a predicate.
        lang: not used; `read_nodes` takes it.
        nodes: text, language and URI of each node (`read_nodes`).
    """
    known = nodes or {}

    def parse(line: Line) -> Iterator[Assertion]:
        row = json_object(line.text)
        relation = vocabulary[text_of(row, "predicate").replace("/", ":").rpartition(":")[2]].name
        ends: list[Node] = []
        for end in ("subject", "object"):
            if (key := text_of(row, end)) not in known:
                raise InputError(f"{end} {key[:80]!r} is not in the file of nodes")
            ends.append(known[key])
        (head, head_lang, head_uri), (tail, tail_lang, tail_uri) = ends
        if row["object"] == NOTHING:
            tail_lang, tail_uri = head_lang, ""
        elif tail == NOTHING and not tail_uri:
            tail_uri = f"/c/{tail_lang}/{NOTHING}"
        other = {name: value for name, value in row.items() if name not in _OWN}
        own = row.get("details")
        details = as_details({"kgx": other}) if other else None if own is None else as_details(json_object(str(own)))
        score = _number(row, "score" if row.get("published") is None else "published")
        sources = row.get("sources") or []
        if score is not None and not 0 <= score <= 1:
            raise InputError(f"score {score} is not from 0 to 1")
        if not isinstance(sources, list) or not all(isinstance(source, str) for source in sources):
            raise InputError("sources is not a list of texts")
        yield Assertion(
            Triple(head, relation, tail, head_lang, "" if tail_lang == head_lang else tail_lang, head_uri, tail_uri),
            split=read_split(row["split"]) if row.get("split") else None,
            logprob=_number(row, "logprob"), weight=_number(row, "weight"), score=score,
            sources=tuple(check_unicode(source, "sources") for source in sources), details=details,
        )  # fmt: skip

    return parse_rows(lines, parse)


def _number(row: dict[str, Any], name: str) -> float | None:
    value = row.get(name)
    return None if value is None else read_number(value, name)
