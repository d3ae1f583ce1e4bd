"""PHALM's JSONL (Ide et al. 2024): events, and what people or a model said of the time before and after them."""

from collections.abc import Iterable, Iterator

from kg.errors import InputError
from kg.exchange.rows import Rows, json_object, make_triple, parse_rows, text_of
from kg.lines import Line, Rejected
from kg.model import Assertion
from kg.vocabulary import Vocabulary

_PHALM = {
    ("event", "before"): "xNeed", ("event", "after"): "xEffect",
    ("mental_state", "before"): "xIntent", ("mental_state", "after"): "xReact",
}  # fmt: skip


def read_phalm(lines: Iterable[Line | Rejected], vocabulary: Vocabulary, lang: str) -> Rows:
    """Yield the inferences of PHALM's JSONL (Ide et al. 2024): events and mental states before and after an event."""

    def parse(line: Line) -> Iterator[Assertion]:
        row = json_object(line.text)
        event, inference = text_of(row, "event"), row.get("inference")
        if not isinstance(inference, dict):
            raise InputError("inference is missing, or not an object")
        triples = []
        for (kind, moment), relation in _PHALM.items():
            tails = (inference.get(kind) or {}).get(moment) or []
            if not isinstance(tails, list) or not all(isinstance(tail, str) for tail in tails):
                raise InputError(f"inference.{kind}.{moment} is not a list of texts")
            triples += [make_triple(event, relation, tail, vocabulary, lang) for tail in tails]
        yield from (Assertion(triple) for triple in triples)

    return parse_rows(lines, parse)
