"""A plan: all that determines what a live teacher is asked, kept in the folder of its run.

So a run can be priced before the first request, resumed after any end, sent as a batch, and any of its requests can be
made again, word for word, to find the reply that a triple came from.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from ingest.teacher.messages import Interface, Kind, Request
from ingest.teacher.openai import OpenAITeacher, Teacher
from ingest.teacher.prompts import Prompts
from kg import strict_json
from kg.errors import InputError, NotFound
from kg.identity import phrase_id, unordered_hash
from kg.run import Run
from kg.vocabulary import Relation, Vocabulary
from kg.workspace import Workspace, new_file, new_folder


@dataclass(frozen=True, slots=True)
class Plan:
    """What a live teacher is to write.

    Attributes:
        kind: events, or inferences about events.
        model: asked for by this name.
        interface: completions, chat or local.
        base_url: of the provider; resuming asks there, whatever the environment says by then.
        prompts: a shipped name, or a folder.
        lang: BCP 47 tag of the texts.
        samples: texts asked for in one request.
        texts: seeds for events; events for inferences.
        seed: of the choice of seeds.
        count: events wanted; 0 for inferences.
        relations: about which inferences are asked for; for events, those that the graph is to know.
    """

    kind: Kind
    model: str
    interface: Interface
    base_url: str | None
    prompts: str
    lang: str
    samples: int
    texts: tuple[str, ...]
    seed: int = 0
    count: int = 0
    relations: tuple[Relation, ...] = ()

    def run(self, teacher: Teacher) -> Run:
        """Return the run of this plan; its id follows from all that determines the requests."""
        prompts = Prompts(self.prompts)
        names = ("events",) if self.kind == "events" else tuple(relation.name for relation in self.relations)
        parameters = {
            "server": teacher.server, "interface": self.interface, "lang": self.lang, "samples": self.samples,
            "seed": self.seed, "count": self.count, "relations": sorted(names),
            "prompts": {name: prompts.digest(name) for name in names}, "settings": prompts.settings(self.kind),
            "texts": unordered_hash(self.texts), "number": len(self.texts),
        }  # fmt: skip
        return Run(self.kind, model=self.model, parameters=parameters)

    def requests(self, teacher: Teacher, prompts: Prompts) -> Iterator[Request]:
        """Yield the requests for inferences, event by event."""
        for event in self.texts:
            for relation in self.relations:
                yield self.request(teacher, prompts, event, relation.name)

    def request(self, teacher: Teacher, prompts: Prompts, event: str, relation: str) -> Request:
        """Return the request for the inferences of one event and relation."""
        text = prompts.for_inferences(event, relation).text
        return self._ask_for(teacher, prompts, f"{phrase_id(event, self.lang)}-{relation}", text)

    def event_request(self, teacher: Teacher, prompts: Prompts, number: int) -> Request:
        """Return the `number`-th request for more events."""
        text = prompts.for_events(self.texts, number, self.seed).text
        return self._ask_for(teacher, prompts, f"event-{number}", text)

    def _ask_for(self, teacher: Teacher, prompts: Prompts, name: str, text: str) -> Request:
        """Return the request for texts that go on from a prompt, put as the teacher's interface wants it."""
        said = prompts.for_chat(text, self.samples) if teacher.interface == "chat" else text
        request = teacher.request(name, said, self.samples, prompts.settings(self.kind))
        return replace(request, kind=self.kind)

    def save(self, folder: Path) -> None:
        """Keep the plan in the folder of its run, with a copy of its prompts; one that is there is the same."""
        if (folder / "plan.json").is_file():
            return
        files = Prompts(self.prompts).files
        with new_folder(folder / "prompts") as draft:
            for name, text in files.items():
                (draft / name).parent.mkdir(parents=True, exist_ok=True)
                (draft / name).write_text(text, encoding="utf-8")
        with new_file(folder / "texts.jsonl") as draft:
            lines = (strict_json.write(text) + "\n" for text in self.texts)
            draft.write_text("".join(lines), encoding="utf-8")
        content = {name: value for name, value in asdict(self).items() if name != "texts"}
        with new_file(folder / "plan.json") as draft:
            draft.write_text(strict_json.write(content, indent=2) + "\n", encoding="utf-8")


def open_plan(workspace: Workspace, run_id: str) -> Plan:
    """Return the plan of a run of this workspace, with the prompts as they were.

    Raises:
        NotFound: there is none.
    """
    folder = workspace.place("runs", run_id)
    try:
        content = json.loads((folder / "plan.json").read_text(encoding="utf-8"))
        with (folder / "texts.jsonl").open(encoding="utf-8") as file:
            texts = [json.loads(line) for line in file]
    except (OSError, NotADirectoryError) as error:
        raise NotFound(f"no plan of a run {run_id!r} in {workspace.root / 'runs'}; see `kg runs list`") from error
    relations = tuple(Relation(**row) for row in content["relations"])
    plan = Plan(**content | {"texts": tuple(texts), "relations": relations})
    return replace(plan, prompts=str(folder / "prompts"))


def open_teacher(plan: Plan, *, timeout_seconds: float = 120, in_flight: int = 64) -> Teacher:
    """Return the teacher of a plan.

    Raises:
        TeacherError: its address or key is wrong.
    """
    if plan.interface == "local":
        from ingest.teacher.local import LocalTeacher  # noqa: PLC0415 - imports torch

        return LocalTeacher(plan.model, seed=plan.seed)
    return OpenAITeacher(
        plan.model, plan.interface, base_url=plan.base_url, timeout_seconds=timeout_seconds, in_flight=in_flight
    )


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
