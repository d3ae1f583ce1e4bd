"""A plan: all that determines what a live teacher is asked, as data, kept in the folder of its run.

So a run can be priced before the first request, resumed after any end, sent as a batch, and any of its requests can be
made again, word for word, to find the reply that a triple came from. `ingest.teacher.lesson` opens a plan.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated

import msgspec

from ingest.teacher.messages import Interface, RunKind
from kg import strict_json
from kg.errors import InputError, NotFound
from kg.vocabulary import Relation, Vocabulary
from kg.workspace import Workspace, new_file, new_folder


@dataclass(frozen=True, slots=True)
class Plan:
    """What a live teacher is to write.

    Attributes:
        kind: events, or inferences about events.
        model: asked for by this name.
        interface: completions, chat or local.
        base_url: of the provider, None for a local teacher; resuming asks there, whatever the environment says by then.
        prompts: a shipped name, or a folder.
        lang: BCP 47 tag of the texts.
        samples: texts asked for in one request.
        texts: seeds for events; events for inferences.
        seed: of the choice of seeds.
        count: events wanted; 0 for inferences.
        relations: about which inferences are asked for; for events, those that the graph is to know.
        frozen: whether `prompts` is the copy that the run's folder keeps, which nothing may be added to.
        older: whether version 0.1.0 made the plan: it named the persons in a local teacher's examples by the event, and
            knew the model by its weights alone. So its requests are made again word for word.
    """

    kind: RunKind
    model: str
    interface: Interface
    base_url: str | None
    prompts: str
    lang: str
    samples: Annotated[int, msgspec.Meta(ge=1)]
    texts: tuple[str, ...]
    seed: int = 0
    count: Annotated[int, msgspec.Meta(ge=0)] = 0
    relations: tuple[Relation, ...] = ()
    frozen: bool = False
    older: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the prompts that the plan needs."""
        return ("events",) if self.kind == "events" else tuple(relation.name for relation in self.relations)

    @property
    def alike(self) -> bool:
        """Whether the prompts of a relation begin alike, so that a model of this machine reads their examples once."""
        return self.interface == "local" and not self.older


def save_plan(plan: Plan, folder: Path, prompts: Mapping[str, str]) -> None:
    """Keep a plan in the folder of its run, with the files of its prompts by name; a plan that is there stays."""
    if (folder / "plan.json").is_file():
        return
    with new_folder(folder / "prompts") as draft:
        for name, text in prompts.items():
            (draft / name).parent.mkdir(parents=True, exist_ok=True)
            (draft / name).write_text(text, encoding="utf-8")
    with new_file(folder / "texts.jsonl") as draft:
        draft.write_text("".join(strict_json.write(text) + "\n" for text in plan.texts), encoding="utf-8")
    content = {name: value for name, value in asdict(plan).items() if name not in ("texts", "frozen")}
    with new_file(folder / "plan.json") as draft:
        draft.write_text(strict_json.write(content, indent=2) + "\n", encoding="utf-8")


def has_plan(workspace: Workspace, run_id: str) -> bool:
    """Return whether a run of this workspace has a plan: whether it is one of a live teacher."""
    return (workspace.place("runs", run_id) / "plan.json").is_file()


def open_plan(workspace: Workspace, run_id: str) -> Plan:
    """Return the plan of a run of this workspace, with the prompts as they were.

    Raises:
        NotFound: the run has no plan.
        InputError: a file of the plan is damaged.
    """
    folder = workspace.place("runs", run_id)
    if not has_plan(workspace, run_id):
        raise NotFound(f"no plan of a run {run_id!r} in {workspace.root / 'runs'}; see `kg runs list`")
    path = folder / "texts.jsonl"
    try:
        lines = path.read_bytes().split(b"\n")
        texts = tuple(msgspec.json.decode(line, type=str) for line in lines if line)
        path = folder / "plan.json"
        content = msgspec.json.decode(path.read_bytes(), type=dict)
        plan = msgspec.convert({"older": True} | content | {"texts": texts}, Plan)
    except (msgspec.MsgspecError, InputError, FileNotFoundError, RecursionError, ValueError) as error:
        why = "it is missing" if isinstance(error, FileNotFoundError) else " ".join(str(error).split())[:200]
        raise InputError(
            f"{path} is damaged: {why}; move {folder} away and make the plan again by the command that began the run"
        ) from error
    if not texts:
        raise InputError(f"{folder / 'texts.jsonl'} is damaged: it has no text; move {folder} away")
    return replace(plan, prompts=str(folder / "prompts"), frozen=True)


def relations_of(vocabulary: Vocabulary, names: str | None) -> tuple[Relation, ...]:
    """Return the relations asked for, in the vocabulary's order.

    Raises:
        UnknownRelation: one is not in the vocabulary.
        InputError: none is named.
    """
    if names is None:
        return tuple(vocabulary)
    wanted = {vocabulary[name.strip()].name for name in names.split(",") if name.strip()}
    if not wanted:
        raise InputError(f"--relations {names!r} names none; the vocabulary has {', '.join(vocabulary.names)}")
    return tuple(relation for relation in vocabulary if relation.name in wanted)
