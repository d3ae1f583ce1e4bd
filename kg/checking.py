"""Rows that come from another graph, in a snapshot or in RDF, are checked like those of any file before one is written.

Each check raises `InputError` with what is wrong, to which value; its caller adds file and row. An id names a folder
of the workspace, so it is letters, digits, `_`, `.` and `-` (`kg.workspace.check_id`).
"""

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from kg import strict_json
from kg.errors import InputError
from kg.identity import judgement_key, own_uri, phrase_id, task_key, triple_key
from kg.model import (
    CONTROLS,
    EDGE_FIELDS,
    JUDGEMENT_VALUES,
    NOTHING,
    OVERALL,
    SPLITS,
    STATED,
    TURNS,
    clean_text,
    threshold_of,
)
from kg.workspace import check_id

Row = Mapping[str, Any]

LABELS = ("Event", "Inference", "Concept")
_NUMBERS, _FLAGS, _TEXTS, _LISTS = (
    [name for name, kind in EDGE_FIELDS.items() if kind == wanted and name != "runs"]
    for wanted in ("number", "flag", "text", "texts")
)
_RUN_TEXTS = ("kind", "status")
_MAYBE_RUN_TEXTS = ("model", "dataset", "licence", "version", "started", "finished", "undone")
_COUNTS = ("added", "offered", "rejected")
_LARGEST = 2**63


def check_phrase(row: Row) -> None:
    """Check id, text, lang, uri, labels, split, runs and logprob of a phrase."""
    text, lang, uri = _text(row, "text"), _plain(row, "lang"), row["uri"]
    if uri is not None and (not isinstance(uri, str) or own_uri(text, lang, clean_text(uri)) != uri):
        raise InputError(f"uri {_shown(uri)} is none of its own")
    if row["id"] != phrase_id(text, lang, uri or ""):
        raise InputError(f"id {_shown(row['id'])} is not the key of text {_shown(text)} in {_shown(lang)}")
    labels, split = row["labels"], row["split"]
    if len(set(labels)) != len(labels) or not set(labels) <= set(LABELS):
        raise InputError(f"labels {_shown(labels)} are not of {', '.join(LABELS)}")
    if split is not None and split not in SPLITS:
        raise InputError(f"split {_shown(split)} is not one of {', '.join(SPLITS)}")
    if "Event" in labels and split is None:
        raise InputError("an event has a split")
    _check_runs(row["runs"])
    _check_number(row, "logprob")
    _check_splits(row.get("splits") or [])
    _check_statements(row.get("statements") or [], row["runs"])


def check_edge(row: Row) -> None:
    """Check the properties of an edge: the fields of `Edge` from `runs` on, of which some may be absent."""
    if not row.get("runs"):
        raise InputError("no run is named that asserted it")
    _check_runs(row["runs"])
    if not isinstance(row.get("predicted"), bool):
        raise InputError(f"predicted {_shown(row.get('predicted'))} is neither true nor false")
    _check_types(row)
    for name in ("score", "published"):
        _check_probability(row, name)
    if (details := row.get("details")) is not None:
        _check_object(details, "details")
    _check_scores(row.get("scores") or [])
    _check_statements(row.get("statements") or [], row["runs"])


def _check_types(row: Row) -> None:
    """Check that the properties of an edge have the types of `kg.model.EDGE_FIELDS`, where there are any."""
    for name in _NUMBERS:
        _check_number(row, name)
    for name in _FLAGS:
        if not isinstance(row.get(name), bool | None):
            raise InputError(f"{name} {_shown(row[name])} is neither true nor false")
    for name in _TEXTS:
        if row.get(name) is not None:
            _plain(row, name)
    for name in _LISTS:
        texts = row.get(name) or []
        if not isinstance(texts, list | tuple) or not all(map(_is_text, texts)):
            raise InputError(f"{name} {_shown(texts)} are no list of texts")


def check_judgement(row: Row, relations: Collection[str]) -> None:
    """Check a judgement, whose relation is one of `relations`; its ends are for the caller."""
    if row["relation"] not in relations:
        raise InputError(f"relation {_shown(row['relation'])} is none of the snapshot")
    annotator = _text(row, "annotator")
    if row["tail"] == NOTHING:
        raise InputError("its tail is 'none', which says that there is no effect; only phrases are judged")
    if row["value"] not in JUDGEMENT_VALUES or isinstance(row["value"], bool):
        raise InputError(f"value {_shown(row['value'])} is not one of {', '.join(map(str, JUDGEMENT_VALUES))}")
    if row["id"] != judgement_key(row["head"], row["relation"], row["tail"], annotator):
        raise InputError(f"id {_shown(row['id'])} is not the key of its triple and annotator")
    _text(row, "at")
    _check_runs(row["runs"])
    verdicts = row.get("values")
    if verdicts is not None and (
        not isinstance(verdicts, list)
        or len(verdicts) != len(row["runs"])
        or not set(verdicts) <= set(JUDGEMENT_VALUES)
        or (verdicts and verdicts[-1] != row["value"])
    ):
        raise InputError(f"values {_shown(verdicts)} are no verdicts of its runs, the last of which is {row['value']}")


def check_duplicate(row: Row, relations: Collection[str]) -> None:
    """Check a duplicate that was set aside: keys of head and tail, and the properties of its edge."""
    properties = row["properties"]
    if properties.get("relation") not in relations:
        raise InputError(f"relation {_shown(properties.get('relation'))} is none of the snapshot")
    if properties.get("id") != triple_key(str(row["head"]), properties["relation"], str(row["tail"])):
        raise InputError(f"id {_shown(properties.get('id'))} is not the key of its triple")
    check_id(properties.get("run"))
    check_edge(properties if properties.get("runs") else properties | {"runs": [properties["run"]]})


def check_task(row: Row, relations: Collection[str]) -> None:
    """Check a task, whose relation is one of `relations`; its ends are for the caller."""
    if row["relation"] not in relations:
        raise InputError(f"relation {_shown(row['relation'])} is none of the snapshot")
    check_id(row["run"])
    if row["id"] != task_key(row["run"], str(row["head"]), row["relation"], str(row["tail"])):
        raise InputError(f"id {_shown(row['id'])} is not the key of its run and triple")
    for name, least in (("place", 0), ("wanted", 1)):
        if not isinstance(row[name], int) or isinstance(row[name], bool) or row[name] < least:
            raise InputError(f"{name} {_shown(row[name])} is not a number from {least} on")
    _check_probability(row, "probability")
    if row["probability"] == 0:
        raise InputError("probability 0 is that of what is never drawn")
    if row["control"] not in (None, *CONTROLS):
        raise InputError(f"control {_shown(row['control'])} is not one of {', '.join(CONTROLS)}")
    for name in ("judged", "skipped"):
        _check_runs(row[name])
    for entry in row["log"]:
        _check_turn(entry)


def _check_turn(entry: Any) -> None:
    """Check what was said through a task: run, time, verdict or another word, note."""
    run, at, what, *_ = [*(str(entry).split(" ", 3) if _is_text(entry) else []), "", "", ""]
    check_id(run)
    if not at or what not in (*map(str, JUDGEMENT_VALUES), *TURNS):
        raise InputError(f"log has {_shown(entry)}, which is no run, time and verdict")


def check_run(row: Row) -> None:
    """Check the properties of a run."""
    _check_properties(row)
    for name in _RUN_TEXTS:
        _text(row, name)
    for name in _MAYBE_RUN_TEXTS:
        if row.get(name) is not None:
            _plain(row, name)
    for name in _COUNTS:
        if (count := row.get(name)) is not None and (
            not isinstance(count, int) or isinstance(count, bool) or count < 0
        ):
            raise InputError(f"{name} {_shown(count)} is not a number from 0 on")
    if row.get("parameters") is not None:
        _check_object(row["parameters"], "parameters")
    for name in ("student", "critic"):
        if row.get(name) is not None:
            check_id(row[name])


def check_student(row: Row) -> None:
    """Check the properties of a student."""
    _check_properties(row)
    check_id(row.get("run"))


def check_critic(row: Row) -> None:
    """Check the properties of a critic."""
    _check_properties(row)
    if row.get("metrics") is not None:
        _check_object(row["metrics"], "metrics")


def check_acceptance(row: Row) -> None:
    """Check the properties of an acceptance: its critic, its recall, and thresholds that go with it."""
    _check_properties(row)
    check_id(row.get("critic"))
    recall = row.get("recall")
    if not isinstance(recall, int | float) or isinstance(recall, bool) or not 0 < recall <= 1:
        raise InputError(f"recall {_shown(recall)} is not above 0 and up to 1")
    teachers = _check_object(row.get("teacher_thresholds") or "{}", "teacher_thresholds")
    for thresholds in (_check_object(row.get("thresholds"), "thresholds"), *teachers.values()):
        _check_thresholds(thresholds, f"{recall:g}")
    for ends in _check_object(row.get("intervals") or "{}", "intervals").values():
        if not isinstance(ends, list) or len(ends) != 2 or not all(map(_is_number, ends)):  # noqa: PLR2004
            raise InputError("intervals are no two numbers by relation")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _check_thresholds(thresholds: Any, recall: str) -> None:
    chosen = thresholds.get(recall) if isinstance(thresholds, dict) else None
    if not isinstance(chosen, dict) or threshold_of(chosen, OVERALL) is None:
        raise InputError(f"thresholds have none for recall {recall} overall")
    for by_relation in thresholds.values():
        if not isinstance(by_relation, dict) or not all(map(_is_number, by_relation.values())):
            raise InputError("thresholds are no numbers by recall and relation")


def check_relation(row: Row) -> None:
    """Check the properties of a relation but for its name and its templates, which `Relation` checks."""
    for name in ("phrase", "question", "source", "tail_kind", "tail_time", "opposite"):
        if not isinstance(row.get(name, ""), str):
            raise InputError(f"{name} {_shown(row[name])} is not a text")
    for name in ("symmetric", "about_person"):
        if not isinstance(row.get(name, False), bool):
            raise InputError(f"{name} {_shown(row[name])} is neither true nor false")
    _check_properties({name: value for name, value in row.items() if name != "name"} | {"id": "relation"})


def _check_properties(row: Row) -> None:
    """Check that a map has an id, and that Neo4j can keep each value: a scalar, or a list of scalars of one type."""
    check_id(row.get("id"))
    if not isinstance(row.get("current", False), bool):
        raise InputError(f"current {_shown(row['current'])} is neither true nor false")
    for name, value in row.items():
        if not name.isidentifier() or not name.isascii():
            raise InputError(f"property {_shown(name)} is not an identifier")
        if value is None:
            continue
        values = value if isinstance(value, list) else [value]
        if not all(_is_scalar(one) for one in values) or len({type(one) for one in values}) > 1:
            raise InputError(f"{name} {_shown(value)} is neither a scalar nor a list of scalars of one type")


def _is_scalar(value: Any) -> bool:
    match value:
        case bool():
            return True
        case int():
            return -_LARGEST <= value < _LARGEST
        case float():
            return math.isfinite(value)
    return _is_text(value)


def _is_text(value: Any) -> bool:
    if not isinstance(value, str) or "\0" in value:
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _text(row: Row, name: str) -> str:
    value = row.get(name)
    if not isinstance(value, str):
        raise InputError(f"{name} {_shown(value)} is not a text")
    try:
        clean = clean_text(value)
    except InputError as error:
        raise InputError(f"{name}: {error}") from None
    if clean != value and name == "text":
        raise InputError(f"{name} {_shown(value)} is not in Unicode's form NFC")
    return value


def _plain(row: Row, name: str) -> str:
    """Return a text that may be blank."""
    value = row.get(name)
    if not _is_text(value):
        raise InputError(f"{name} {_shown(value)} is not a text")
    return str(value)


def _check_runs(runs: Any) -> None:
    if not isinstance(runs, Sequence) or isinstance(runs, str) or len(set(runs)) != len(runs):
        raise InputError(f"runs {_shown(runs)} are no list of ids, each once")
    for run in runs:
        check_id(run)


def _check_number(row: Row, name: str) -> None:
    value = row.get(name)
    if value is not None and (
        not isinstance(value, float | int) or isinstance(value, bool) or not math.isfinite(value)
    ):
        raise InputError(f"{name} {_shown(value)} is not a number that can be kept")


def _check_probability(row: Row, name: str) -> None:
    _check_number(row, name)
    if (value := row.get(name)) is not None and not 0 <= value <= 1:
        raise InputError(f"{name} {value} is not from 0 to 1")


def _check_scores(scores: Any) -> None:
    """Check the scores of other critics, texts such as `0.25 critic-id`."""
    for score in scores:
        number, _, critic = score.partition(" ")
        check_id(critic)
        try:
            value = float(number)
        except ValueError:
            raise InputError(f"scores have {_shown(score)}, which is no number and critic") from None
        _check_probability({"score": value}, "score")


def _check_splits(splits: Any) -> None:
    """Check the splits that runs published, each as `train run-id`."""
    if not isinstance(splits, list | tuple) or not all(_is_text(split) for split in splits):
        raise InputError(f"splits {_shown(splits)} are no list of texts")
    for one in splits:
        split, _, run = one.partition(" ")
        check_id(run)
        if split not in SPLITS:
            raise InputError(f"split {_shown(split)} is not one of {', '.join(SPLITS)}")


def _check_statements(texts: Any, runs: Sequence[str]) -> None:
    """Check what each run says: texts, one JSON object a run."""
    for text in texts:
        statement = _check_object(text, "statements")
        if statement.pop("run", None) not in runs:
            raise InputError(f"statement {_shown(text)} is of none of its runs")
        if statement.keys() - {*STATED}:
            raise InputError(f"statement {_shown(text)} says {min(statement.keys() - {*STATED})}, which no run says")
        check_edge({**statement, "runs": list(runs), "predicted": False})


def _check_object(text: Any, name: str) -> dict[str, Any]:
    try:
        found = strict_json.read(text) if _is_text(text) else None
    except ValueError as error:
        raise InputError(f"{name} {_shown(text)} is not valid JSON: {error}") from None
    if not isinstance(found, dict):
        raise InputError(f"{name} {_shown(text)} is not a JSON object")
    return found


def _shown(value: Any) -> str:
    return repr(value)[:80]
