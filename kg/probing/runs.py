"""A probe as a run: what was asked whom goes into the graph, the answers into the run's folder."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from kg import strict_json
from kg.errors import InputError
from kg.graph.knowledge import KnowledgeGraph
from kg.identity import unordered_hash
from kg.language_model.opening import DEFAULT, fingerprint
from kg.lines import file_hash
from kg.probing.clozes import Cloze, Clozes
from kg.probing.corrections import Correction, Probe
from kg.probing.opening import Way, open_probe
from kg.probing.probe import ask, baselines, misprimed, negated, unnamed
from kg.probing.ranks import Ranked, lead, summary
from kg.run import PROBE_KIND, Run, write_record
from kg.workspace import Workspace, new_file

Names = Literal["keep", "spelled", "guessed"]


@dataclass(frozen=True, slots=True)
class Probed:
    """The result of a probe: its run, all figures, and the folder with `report.json` and `answers.jsonl`."""

    run: str
    found: dict[str, Any]
    folder: Path


def run_probe(
    graph: KnowledgeGraph,
    workspace: Workspace,
    path: Path,
    clozes: Clozes,
    *,
    model: str = DEFAULT,
    candidates: str = "tails",
    way: Way = "auto",
    correction: Correction = "none",
    names: Names = "keep",
    variants: Sequence[str] = (),
    sample: int | None = None,
    seed: int = 0,
    progress: Callable[[int, int], object] = lambda *_: None,
) -> Probed:
    """Ask a model about the facts of a file, as one run.

    Args:
        graph: where the run is recorded; it writes nothing else.
        workspace: where the run's folder is.
        path: the file, for its name and sum.
        clozes: what was read from it.
        model: a folder, a name on a hub, or `kg.language_model.opening.DEFAULT`.
        candidates: `tails`, `own`, or a file.
        way: `blank` for a masked model; `sentence` or `next` for a causal one; `auto` is the first of these.
        correction: what the model finds likely anyway and is taken off (`kg.probing.corrections`).
        names: which facts stay: all, those whose head does not spell the tail, or those whose tail the model does not
            guess from the head's name either.
        variants: `negated`, `misprimed`.
        sample: how many facts, every so many of the file; None is all.
        seed: of everything random.
        progress: called with the number of a cloze's answers that came, 1, and the number of clozes.

    Raises:
        InputError: the model or the candidates cannot be used, or no fact is left to ask about.
        NotReady: the model that comes with pip is asked for and not installed.
    """
    parameters = {
        "sha256": file_hash(path), "candidates": candidates, "way": way, "correction": correction, "names": names,
        "variants": sorted(variants), "sample": sample, "seed": seed, "fingerprint": fingerprint(model),
        "clozes": unordered_hash(repr(row) for row in clozes.rows),
    }  # fmt: skip
    if candidates not in ("tails", "own"):
        parameters["candidates_sha256"] = file_hash(Path(candidates))
    run = Run(PROBE_KIND, model=model, dataset=path.name, parameters=parameters)
    with graph.running(run):
        tails = [row.triple.tail for row in clozes.rows]
        probe, used = open_probe(model, candidates, tails, way)
        rows, left_out = _chosen(clozes, probe, used, names)
        rows = _sample(rows, sample)
        if not rows:
            raise InputError(f"no fact of {path} is left to ask about: {dict(left_out)}")
        right = clozes.right
        ranked = ask(probe, rows, right, lambda done: progress(done, len(rows)), correction=correction)
        base = baselines(rows, right, len(probe.candidates), seed)
        found: dict[str, Any] = {
            "run": run.id, "model": model, "dataset": path.name, "way": used, "correction": correction, "names": names,
            "candidates": {"source": candidates, "number": len(probe.candidates)}, "facts": len(rows),
            "left_out": dict(+left_out),
            "rejected": len(clozes.rejected), "summary": summary(ranked, seed), "baselines": base,
            "lead": lead(ranked, seed),
        }  # fmt: skip
        if "negated" in variants:
            found["negated"] = negated(probe, rows, right, ranked, seed, correction)
        if "misprimed" in variants:
            found["misprimed"] = misprimed(probe, rows, right, seed, correction)
        folder = workspace.folder("runs", run.id)
        _write(folder, found, rows, ranked)
        first = found["summary"]["facts_mean"]["filtered"]["P@1"]
        numbers = {"offered": len(rows), "rejected": len(clozes.rejected), "precision_at_1": first[0]}
        graph.finish(run, **numbers)
        write_record(folder, run, numbers)
    return Probed(run.id, found, folder)


def _chosen(clozes: Clozes, probe: Probe, used: str, names: Names) -> tuple[list[Cloze], Counter[str]]:
    """Return the clozes that can be asked about, and how many are left out for which reason."""
    left_out, known = Counter(clozes.left_out), set(probe.candidates)
    rows = [row for row in clozes.rows if row.triple.tail in known]
    left_out["their tail is no candidate"] = len(clozes.rows) - len(rows)
    if used == "next":
        last = [replace(row, headless=row.headless._replace(after="")) for row in rows if row.blank.is_last]
        left_out["words stand after the blank"] = len(rows) - len(last)
        rows = last
    if names != "keep":
        kept = unnamed(probe, rows, guessed=names == "guessed")
        left_out["the head's name gives the tail away"] = len(rows) - len(kept)
        rows = kept
    return rows, left_out


def _sample(rows: list[Cloze], number: int | None) -> list[Cloze]:
    if number is None or number >= len(rows):
        return rows
    return [rows[place * len(rows) // number] for place in range(number)]


def _write(folder: Path, found: dict[str, Any], rows: Sequence[Cloze], ranked: Sequence[Ranked]) -> None:
    with new_file(folder / "report.json") as draft:
        draft.write_text(strict_json.write(found, indent=2) + "\n", encoding="utf-8")
    with new_file(folder / "answers.jsonl") as draft, draft.open("w", encoding="utf-8") as file:
        for row, one in zip(rows, ranked, strict=True):
            file.write(
                strict_json.write({"head": row.triple.head, "sentence": row.blank.fill("___"), **asdict(one)}) + "\n"
            )
