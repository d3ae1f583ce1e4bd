"""What language models wrote: SKD's release (West et al. 2021), PHALM (Ide et al. 2024), and recorded completions."""

from collections import Counter
from collections.abc import Iterable, Iterator

from ingest.cleaning import clean_tails
from ingest.readers.rows import Rows, as_details, json_object, make_triple, parse_rows, read_split, text_of
from kg.errors import InputError
from kg.lines import Line, Rejected
from kg.model import Assertion
from kg.vocabulary import Vocabulary

_VERDICTS = ("rec_0.5", "rec_0.6", "rec_0.7", "rec_0.8", "rec_0.9", "valid")
_PHALM = {
    ("event", "before"): "xNeed", ("event", "after"): "xEffect",
    ("mental_state", "before"): "xIntent", ("mental_state", "after"): "xReact",
}  # fmt: skip


def read_skd(lines: Iterable[Line | Rejected], vocabulary: Vocabulary, lang: str) -> Rows:
    """Yield the rows of SKD's JSONL: head, relation, tail, split, p_valid_model; `details` keep rec_R and valid."""

    def parse(line: Line) -> Iterator[Assertion]:
        row = json_object(line.text)
        score = row.get("p_valid_model")
        if score is not None and (isinstance(score, bool) or not isinstance(score, int | float) or not 0 <= score <= 1):
            raise InputError(f"p_valid_model {score!r} is not a number from 0 to 1")
        triple = make_triple(text_of(row, "head"), text_of(row, "relation"), text_of(row, "tail"), vocabulary, lang)
        split = None if row.get("split") is None else read_split(text_of(row, "split"))
        said = {name: row[name] for name in _VERDICTS if row.get(name) is not None}
        yield Assertion(
            triple, split=split, details=as_details(said), score=None if triple.says_nothing else score
        )  # fmt: skip

    return parse_rows(lines, parse)


def read_completions(
    lines: Iterable[Line | Rejected], vocabulary: Vocabulary, lang: str, dropped: Counter[str] | None = None
) -> Rows:
    """Yield the cleaned tails of a recorded teacher: event, relation, tails, and optionally names and logprobs.

    Args:
        lines: one JSON object a line; `names` maps first names of the prompt to PersonX and PersonY.
        vocabulary: relations that may occur.
        lang: language of the texts.
        dropped: where the cleaning rules count what they drop.
    """

    def parse(line: Line) -> Iterator[Assertion]:
        row = json_object(line.text)
        tails, names = row.get("tails"), row.get("names") or {}
        if not isinstance(tails, list) or not all(isinstance(tail, str) for tail in tails):
            raise InputError("tails must be a list of texts")
        if not isinstance(names, dict) or not all(isinstance(person, str) for person in names.values()):
            raise InputError('names must map first names to persons, like {"Alex": "PersonX"}')
        event, relation = text_of(row, "event"), text_of(row, "relation")
        cleaned = clean_tails(tails, names)
        triples = [make_triple(event, relation, tail, vocabulary, lang) for tail in cleaned.kept]
        if not tails:
            raise InputError("there is no tail")
        if dropped is not None:
            dropped.update(cleaned.rules)
        yield from (Assertion(triple) for triple in triples)

    return parse_rows(lines, parse)


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
