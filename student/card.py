"""The model card of a student: a README.md with the fields that a model hub reads, then what a person wants to know.

The card says nothing that the folder does not know: base, data and seed come from its manifest, figures from its
metrics. What is unknown is said to be unknown.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kg import strict_json
from kg.language_model.terms import FIELD, GEMMA, card_lines
from kg.model import OVERALL
from student.curve import loss_lines
from student.files import read_json, read_manifest, read_settings
from student.generator.forms import prompt

CARD = "README.md"
GEMMA_ON_A_HUB = "google/gemma-3-270m"  # what the language model from pip was made of
UNKNOWN = "unknown"

_EXAMPLE = "PersonX misses the bus"


def model_card(folder: Path, *, name: str, licence: str | None = None, report: str | None = None) -> str:
    """Return the card of a student.

    Args:
        folder: the student's checkpoint.
        name: of the student, for people.
        licence: identifier of a licence, as hubs know them ("apache-2.0"); None is Gemma's where Gemma's terms hold,
            else unknown.
        report: Markdown with the student's evaluation, put at the end; None says that there is none.

    Raises:
        NotFound: there is no checkpoint.
        InputError: the checkpoint is damaged.
    """
    from huggingface_hub import ModelCardData  # noqa: PLC0415 - takes a second

    settings, manifest, metrics = read_settings(folder), read_manifest(folder), read_json(folder / "metrics.json")
    is_gemma = manifest.get(FIELD) == GEMMA
    base = base_of(manifest)
    data = ModelCardData(
        license=licence or (GEMMA if is_gemma else UNKNOWN),
        language=manifest.get("lang"),
        library_name="transformers" if settings["kind"] == "generator" else "skd-graph",
        pipeline_tag=_task(folder) if settings["kind"] == "generator" else None,
        base_model=base if base and not base.startswith("a local model") else None,
        tags=["knowledge-distillation", "commonsense", "skd-graph"],
    )
    parts = [
        f"---\n{data.to_yaml()}\n---",
        f"# {name}",
        f"A student of kind {settings['kind']}, which gives tails of an event and a relation: {_list(settings)}.",
        *([_use(folder, settings)] if settings["kind"] == "generator" else [_RANKER]),
        "## Base and licence",
        f"Base: {base or 'none, trained from scratch'}. Licence: {data.license}.",
        *(card_lines() if is_gemma else ()),
        "## Data",
        *_data(manifest),
        "## Critic",
        _critic(manifest),
        "## Metrics of the training",
        _table(metrics),
        *(["\n".join(lines)] if (lines := loss_lines(metrics)) else []),
        "## Evaluation",
        report.strip() if report else "Not stated; a loss says nothing of how acceptable the tails are.",
    ]
    return "\n\n".join(parts) + "\n"


def base_of(manifest: Mapping[str, Any]) -> str | None:
    """Return the base that a manifest names, as others know it; None for a student that had none.

    >>> base_of({"base": "gemma"}), base_of({"base": "/home/me/mine"}), base_of({"base": "gpt2"}), base_of({})
    ('google/gemma-3-270m', 'a local model, mine', 'gpt2', None)
    """
    base = manifest.get("base")
    if base is None:
        return None
    if base == GEMMA:
        return GEMMA_ON_A_HUB
    return f"a local model, {Path(base).name}" if is_place(base) else str(base)


def is_place(name: str) -> bool:
    """Return whether the name of a model is a folder's, which says nothing to others.

    >>> is_place("./mine"), is_place("~/mine"), is_place("facebook/bart-base"), is_place("")
    (True, True, False, False)
    """
    return name != "" and (
        Path(name).is_absolute() or name.startswith((".", "~")) or name.count("/") > 1 or Path(name).is_dir()
    )


def prompt_form(settings: Mapping[str, Any]) -> tuple[str, str]:
    """Return a prompt for an example, and a relation, as the tokenizer in the folder reads it without more."""
    relation = str(settings["relations"][0])
    phrases = settings.get("phrases") or {}
    return prompt(settings.get("form"), _EXAMPLE, relation, phrases), relation


def _use(folder: Path, settings: Mapping[str, Any]) -> str:
    asked, relation = prompt_form(settings)
    kind = "AutoModelForSeq2SeqLM" if _is_pair(folder) else "AutoModelForCausalLM"
    answer = "output[0]" if _is_pair(folder) else 'output[0, prompt["input_ids"].shape[1]:]'
    return f"""It opens with plain `transformers`; {relation} of an event is asked for like this:

```python
from transformers import {kind}, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(FOLDER)
model = {kind}.from_pretrained(FOLDER)
prompt = tokenizer({strict_json.write(asked)}, return_tensors="pt")
output = model.generate(input_ids=prompt["input_ids"], max_new_tokens=48, num_beams=5)
print(tokenizer.decode({answer}, skip_special_tokens=True))
```"""


_RANKER = "It ranks the tails that it knows; `kg student use` and `kg student predict` of skd-graph open it."


def _is_pair(folder: Path) -> bool:
    config = folder / "config.json"
    return config.is_file() and bool(read_json(config).get("is_encoder_decoder"))


def _task(folder: Path) -> str:
    return "text2text-generation" if _is_pair(folder) else "text-generation"


def _list(settings: Mapping[str, Any]) -> str:
    return ", ".join(settings["relations"])


def _data(manifest: Mapping[str, Any]) -> Sequence[str]:
    """Return the manifest of the data in words, and as it is."""
    words = f"Trained on {manifest.get('triples', UNKNOWN)} triples of {manifest.get('events', UNKNOWN)} events"
    kept = {name: manifest[name] for name in _OF_DATA if name in manifest}
    whole = strict_json.write(kept, indent=1)
    return f"{words}, all of the training split; chosen by the query below.", f"```json\n{whole}\n```"


_OF_DATA = ("cypher", "parameters", "runs", "lang", "triples", "events", "relations", "content_hash", "seed", "version")


def _critic(manifest: Mapping[str, Any]) -> str:
    critic = manifest.get("critic")
    if not isinstance(critic, Mapping):
        return "None: the triples were not chosen by what a critic accepts."
    of_teachers = {f"of what {name} wrote, ": own for name, own in (critic.get("teachers") or {}).items()}
    told = [
        who + ", ".join(f"{'any relation' if name == OVERALL else name} {value:.4g}" for name, value in own.items())
        for who, own in ({"": critic.get("thresholds") or {}} | of_teachers).items()
        if own
    ]
    return (
        f"The triples are those that the critic `{critic.get('id')}` accepted, at a recall of "
        f"{critic.get('recall')}. Smallest accepted score: {'; '.join(told) or UNKNOWN}."
    )


def _table(metrics: Mapping[str, Any]) -> str:
    hidden = ("base", "curve")  # which is drawn
    shown = {name: value for name, value in metrics.items() if name not in hidden and not isinstance(value, Mapping)}
    rows = [f"| {name.replace('_', ' ')} | {_cell(value)} |" for name, value in shown.items()]
    return "\n".join(["| metric | value |", "|---|---|", *rows])


def _cell(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
