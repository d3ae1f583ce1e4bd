"""Who judged: people, or machines, which are never counted as people.

An annotator is a name, so it is a machine wherever one thing says so: a run with a model recorded a judgement of that
name, the run read one of the files of the starter corpus (whose readers were language models), or the name is a
language model's.
"""

import re
from collections.abc import Collection
from functools import cache
from pathlib import Path

from kg import strict_json
from kg.errors import InputError, NotFound
from kg.graph.knowledge import KnowledgeGraph
from kg.language_model.terms import origin_of_name
from kg.lines import file_hash
from kg.model import Judgement
from kg.recorded import TEACHERS

_SHOWN = 10  # names in an error
_FAMILY = re.compile(
    r"(?<![a-z])("
    r"(chatgpt|claude|davinci|deepseek|gemini|gpt|grok|language[-_ ]?model|llama|llm|mistral|mixtral|qwen)(?![a-z])|"
    r"(command|glm|phi)[-_ ]?(r\b|[0-9])|o[1-9][-_ ](mini|preview|pro))",
    re.IGNORECASE,
)  # what people are called as well (Phi, o1) wants more


def is_machine_name(name: str) -> bool:
    """Tell whether a name is a language model's.

    >>> [is_machine_name(name) for name in ("language-model-1", "meta/llama-3", "gpt4o", "gemma", "phi-3", "o3-mini")]
    [True, True, True, True, True, True]
    >>> [is_machine_name(name) for name in ("rater1", "Phi", "o1", "Llamado", "ckbp:adv", "gptm")]
    [False, False, False, False, False, False]
    """
    return origin_of_name(name) is not None or _FAMILY.search(name) is not None


def machines_among(
    graph: KnowledgeGraph, machines: Collection[str] = (), people: Collection[str] = ()
) -> dict[str, str]:
    """Return the annotators of a graph that are machines, by name, each with what says so.

    Args:
        graph: whose judgements.
        machines: names that are machines', though nothing in the graph says so.
        people: names that are people's, whatever the graph says.

    Raises:
        NotFound: the graph has no annotator of such a name.
        InputError: a name is given as a machine's and as a person's.
    """
    known = graph.annotators()
    if unknown := sorted({*machines, *people} - known.keys()):
        names = ", ".join([*known][:_SHOWN]) + (", …" if len(known) > _SHOWN else "")
        raise NotFound(f"no annotator {unknown[0]!r}; there are {names or 'none'}")
    if both := sorted({*machines} & {*people}):
        raise InputError(f"annotator {both[0]!r} is given as a machine and as a person; leave out one")
    recorded = {run["id"]: said for run in graph.runs() if (said := _said_of_run(run))}
    found: dict[str, str] = {}
    for name, runs in known.items():
        by_run = next((recorded[run] for run in runs if run in recorded), None)
        why = (
            "Machines, as told"
            if name in machines
            else by_run or ("Machines by their names" if is_machine_name(name) else None)
        )
        if why and name not in people:
            found[name] = why
    return found


def people_first(graph: KnowledgeGraph) -> list[Judgement]:
    """Return a graph's judgements, of machines only those on triples that no person judged."""
    judgements = graph.judgements()
    machines = machines_among(graph)
    by_people = {one.triple for one in judgements if one.annotator not in machines}
    return [one for one in judgements if one.annotator not in machines or one.triple not in by_people]


def _said_of_run(run: dict[str, object]) -> str | None:
    """Return what a run says of its annotators if they are machines."""
    if run.get("model"):
        return f"Judged by the model {run['model']}"
    parameters = strict_json.read(str(run.get("parameters") or "{}"))
    shipped = {_hash_of(teacher.judgements) for teacher in TEACHERS.values()}
    is_ours = isinstance(parameters, dict) and parameters.get("sha256") in shipped
    return "Readers of the starter corpus" if is_ours else None


@cache
def _hash_of(file: Path) -> str:
    return file_hash(file)
