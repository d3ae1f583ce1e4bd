"""Judgements in the files of annotation tools, in and out: Label Studio's JSON and Argilla's, and SKD's `valid`.

| format | a judgement is |
|---|---|
| `label-studio` | an annotation of a task: the choice of the control `verdict`, by whom it was completed |
| `argilla` | a response to the question `verdict` of a record, by its user |
| `skd` | the field `valid` of a line of `ATOMIC10X.jsonl`; out, the consensus of a triple's annotators |

Head, relation and tail are fields of a task's data, or of a record; the question that an annotator is asked stands
beside them. A choice is one of the five verdicts in words (`critic.judging.VERDICTS`) or its value as text. Tasks that
nobody has answered, and cancelled annotations, are no judgements.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from critic.judging import VERDICTS, sentence_of
from kg.errors import InputError
from kg.exchange.rows import json_object, make_triple, read_json, text_of
from kg.exchange.target import export_file, open_bytes
from kg.identity import triple_id
from kg.lines import Line, Rejected, read_document, read_lines
from kg.model import Judgement, Triple, clean_text, consensus
from kg.vocabulary import Vocabulary

LABEL_STUDIO, ARGILLA, SKD = "label-studio", "argilla", "skd"
FORMATS = (LABEL_STUDIO, ARGILLA, SKD)
LANGUAGES = ("lang", "tail_lang", "head_uri", "tail_uri")
"""Fields of a triple that are left out of a file where they say nothing."""

_QUESTION = "verdict"
_WORDS = {verdict.words: verdict.value for verdict in VERDICTS}
_VALUES = _WORDS | {str(verdict.value): verdict.value for verdict in VERDICTS}
_SAID = {verdict.value: verdict.words for verdict in VERDICTS}

Rows = Iterator[Judgement | Rejected]
Task = Mapping[str, Any]


def guess_labelling(first: str) -> str | None:
    """Return the format that the first line of a file looks like; None if it is none of these.

    >>> guess_labelling('[{"id": 1, "data": {"head": "PersonX naps"}')
    'label-studio'
    """
    start = first.lstrip()
    if start.startswith("{"):
        return SKD
    if not start.startswith("["):
        return None
    return ARGILLA if '"fields"' in start and '"data"' not in start else LABEL_STUDIO


def read_labelling(path: Path, format_name: str, vocabulary: Vocabulary, lang: str) -> Rows:
    """Yield the judgements of a file, and the rows that are none; a row is counted as a line.

    Args:
        path: plain, or packed with gzip.
        format_name: as `guess_labelling` gives it; Label Studio's and Argilla's are told apart by their tasks.
        vocabulary: the relations that there may be.
        lang: BCP 47 tag of texts that have none of their own.

    Raises:
        InputError: the file cannot be read, or is no list of tasks.
    """
    if format_name == SKD:
        yield from _read_skd(read_lines(path), vocabulary, lang)
        return
    tasks = read_json(read_document(path), str(path))
    if not isinstance(tasks, list):
        raise InputError(f"{path} is not a JSON list of tasks")
    for number, task in enumerate(tasks, 1):
        try:
            if not isinstance(task, dict):
                raise InputError("the task is not a JSON object")  # noqa: TRY301 - as any other bad row
            answers = _of_argilla(task) if "fields" in task else _of_label_studio(task)
            if answers:
                triple = _triple(task, vocabulary, lang)
                yield from [Judgement(triple, clean_text(name), _value(said)) for name, said in answers]
        except InputError as error:
            yield Rejected(number, str(error), str(task)[:500])
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            yield Rejected(number, f"a value is of another kind than the format has: {error}", str(task)[:500])


def write_labelling(judgements: Iterable[Judgement], path: Path, format_name: str, vocabulary: Vocabulary) -> int:
    """Write judgements, a task for each triple in their order; return the number of judgements written, of SKD's rows.

    Args:
        judgements: what to write; SKD's form has one row a triple, and no place for languages.
        path: file to make, packed if it ends in `.gz`; an older one is replaced.
        format_name: one of `FORMATS`.
        vocabulary: has the questions.

    Raises:
        InputError: the file cannot be written.
    """
    by_triple: defaultdict[Triple, list[Judgement]] = defaultdict(list)
    for one in judgements:
        by_triple[one.triple].append(one)
    rows = [by_triple[triple] for triple in sorted(by_triple)]
    with export_file(path) as draft, open_bytes(draft, path) as file:
        if format_name == SKD:
            for row in rows:
                file.write(orjson.dumps(_as_skd(row)) + b"\n")
            return len(rows)
        make = _as_argilla if format_name == ARGILLA else _as_label_studio
        for number, row in enumerate(rows):
            file.write(b",\n" if number else b"[\n")
            file.write(orjson.dumps(make(row, vocabulary)))
        file.write(b"\n]\n" if rows else b"[]\n")
    return sum(map(len, rows))


def _read_skd(lines: Iterable[Line | Rejected], vocabulary: Vocabulary, lang: str) -> Rows:
    for line in lines:
        if isinstance(line, Rejected):
            yield line
            continue
        try:
            row = json_object(line.text)
            if row.get("valid") is None:
                continue
            triple = make_triple(text_of(row, "head"), text_of(row, "relation"), text_of(row, "tail"), vocabulary, lang)
            yield Judgement(_judged(triple), SKD, _value(row["valid"]))
        except InputError as error:
            yield Rejected(line.number, str(error), line.text)


def _of_label_studio(task: Task) -> list[tuple[str, object]]:
    """Return who said what; of several annotations by one the last counts."""
    found: dict[str, object] = {}
    for annotation in task.get("annotations") or ():
        if annotation.get("was_cancelled"):
            continue
        chosen = [
            choice
            for result in annotation["result"]
            if result.get("type") == "choices" and result.get("from_name") == _QUESTION
            for choice in result["value"]["choices"]
        ]
        if len(chosen) > 1:
            raise InputError(f"{len(chosen)} choices where one is expected")
        if chosen:
            found[_name(annotation.get("completed_by"))] = chosen[0]
    return list(found.items())


def _of_argilla(record: Task) -> list[tuple[str, object]]:
    answers = (record.get("responses") or {}).get(_QUESTION) or ()
    return [(_name(answer.get("user_id")), answer["value"]) for answer in answers]


def _name(user: object) -> str:
    """Return the annotator's name of a user, who may be a number, a name, or an object with an address."""
    if isinstance(user, Mapping):
        user = next((user[key] for key in ("email", "username", "id") if user.get(key) is not None), None)
    if user is None or isinstance(user, bool) or not isinstance(user, int | str) or not str(user).strip():
        raise InputError("nobody is named who said it")
    return str(user)


def _value(said: object) -> int:
    found = _VALUES.get(str(said).strip()) if isinstance(said, str | int) and not isinstance(said, bool) else None
    if found is None:
        raise InputError(f"verdict {str(said)[:60]!r} is not one of {', '.join(_VALUES)}")
    return found


def _triple(task: Task, vocabulary: Vocabulary, lang: str) -> Triple:
    given = {**(task.get("metadata") or {}), **(task.get("data") or task.get("fields") or {})}
    plain = make_triple(text_of(given, "head"), text_of(given, "relation"), text_of(given, "tail"), vocabulary, lang)
    more = {name: clean_text(text_of(given, name)) for name in LANGUAGES if given.get(name)}
    return _judged(Triple(plain.head, plain.relation, plain.tail, **{"lang": lang} | more))


def _judged(triple: Triple) -> Triple:
    if triple.says_nothing:
        raise InputError("the tail 'none' says that there is no effect; only phrases are judged")
    return triple


def _parts(triple: Triple, vocabulary: Vocabulary) -> tuple[dict[str, str], dict[str, str]]:
    """Return what an annotator sees of a triple, and what else belongs to it."""
    relation = vocabulary[triple.relation].in_language(triple.lang)
    seen = {
        "head": triple.head,
        "relation": triple.relation,
        "tail": triple.tail,
        "question": relation.question or relation.phrase,
        "text": sentence_of(triple.head, relation, triple.tail),
    }
    return seen, {name: value for name in LANGUAGES if (value := getattr(triple, name))}


def _as_label_studio(row: Sequence[Judgement], vocabulary: Vocabulary) -> Task:
    seen, more = _parts(row[0].triple, vocabulary)
    return {
        "data": {**seen, **more, "id": triple_id(row[0].triple)},
        "annotations": [
            {
                "completed_by": {"email": one.annotator},
                "was_cancelled": False,
                "result": [
                    {"from_name": _QUESTION, "to_name": "text", "type": "choices",
                     "value": {"choices": [_SAID[one.value]]}}
                ],
            }
            for one in row
        ],
    }  # fmt: skip


def _as_argilla(row: Sequence[Judgement], vocabulary: Vocabulary) -> Task:
    seen, more = _parts(row[0].triple, vocabulary)
    return {
        "id": triple_id(row[0].triple),
        "status": "completed",
        "fields": seen,
        "metadata": more,
        "suggestions": {},
        "responses": {_QUESTION: [{"value": _SAID[one.value], "user_id": one.annotator} for one in row]},
        "vectors": {},
    }


def _as_skd(row: Sequence[Judgement]) -> Task:
    triple = row[0].triple
    said = consensus([one.value for one in row])
    return {
        "head": triple.head,
        "relation": triple.relation,
        "tail": triple.tail,
        "inference": triple.tail,
        "valid": said,
    }
