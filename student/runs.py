"""The student's steps on a graph: train one on a part of it, and open one again."""

from dataclasses import dataclass
from pathlib import Path

from kg import __version__
from kg.encoder import Encoder
from kg.errors import NotReady
from kg.graph.knowledge import KnowledgeGraph
from kg.run import Run, write_record
from kg.store.queries import Query
from kg.workspace import Workspace
from student.checkpoint import load, read_manifest, train
from student.data import select
from student.interface import Kind, Student

_KIND = "train-student"


@dataclass(frozen=True, slots=True)
class Trained:
    """A student that was trained: its id, its checkpoint, and how many triples it has seen."""

    id: str
    folder: Path
    triples: int


def train_student(
    graph: KnowledgeGraph,
    workspace: Workspace,
    kind: Kind,
    query: Query,
    encoder: Encoder,
    *,
    base: str | None = None,
    epochs: int | None = None,
    seed: int = 0,
) -> Trained:
    """Train a student on what a query returns; one that was trained on just this before is kept.

    Args:
        graph: where the triples are.
        workspace: where the checkpoint goes.
        kind: generator or ranker.
        query: returns head, relation, tail and, if not English, lang; training events only.
        encoder: the ranker's sentence encoder.
        base: a pre-trained causal language model to fine-tune; generator only.
        epochs: passes over the data; None derives them from its size.
        seed: of everything random.

    Raises:
        InputError: the query or an option does not fit.
        NotReady: the query returns nothing.
    """
    data = select(graph, query)
    manifest = data.manifest | {
        "base": base,
        "epochs": epochs,
        "seed": seed,
        "version": __version__,
        "encoder": encoder.description,
    }
    run = Run(_KIND, model=kind, parameters=manifest)
    student_id = f"{kind}-{run.id.removeprefix(f'{_KIND}-')}"
    folder = workspace.place("students", student_id)
    graph.begin(run)
    if not (folder / "student.json").is_file():
        train(
            kind, data.triples, graph.vocabulary(), folder, encode=encoder.encode, seed=seed, base=base,
            epochs=epochs, manifest=manifest,
        )  # fmt: skip
    numbers = {"student": student_id, "offered": len(data.triples)}
    graph.finish(run, **numbers)
    write_record(workspace.folder("runs", run.id), run, numbers)
    return Trained(student_id, folder, len(data.triples))


def open_student(graph: KnowledgeGraph, workspace: Workspace, student_id: str | None = None) -> tuple[str, Student]:
    """Return a student of this workspace and its id; without an id the one that was trained last.

    Raises:
        NotReady: none has been trained.
        NotFound: there is none with this id.
    """
    if student_id is None:
        trained = [run["student"] for run in graph.runs() if run["kind"] == _KIND and run.get("student")]
        if not trained:
            raise NotReady("no student has been trained; run kg student train")
        student_id = str(trained[0])
    folder = workspace.place("students", student_id)
    encoder = Encoder.described(read_manifest(folder)["encoder"], workspace.folder("embeddings"))
    return student_id, load(folder, encoder.encode)
