"""Students on disk: train one into a folder, open a folder again.

    students/<id>/
    ├── student.json           kind, relations and what else the kind needs to be opened
    ├── metrics.json           figures of the training
    ├── manifest.json          what it was trained on: query, parameters, counts, content hash, seed, language
    ├── model.safetensors      weights
    ├── config.json, tokenizer.json, tokenizer_config.json     generator: as transformers writes them
    └── tails.jsonl, tails.safetensors                         ranker: the known tails and their embeddings

A folder appears whole or not at all, and nothing in it is a pickle. While a generator is trained, its progress is
kept beside the folder (`.<name>.progress`), so that training again with the same arguments goes on from there.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kg import strict_json
from kg.errors import InputError, NotFound
from kg.model import Triple
from kg.vocabulary import Vocabulary
from kg.workspace import new_folder
from student.interface import KINDS, Encode, Kind, Student


def train(
    kind: Kind,
    triples: Sequence[Triple],
    vocabulary: Vocabulary,
    folder: Path,
    *,
    encode: Encode,
    seed: int,
    base: str | None = None,
    epochs: int | None = None,
    manifest: Mapping[str, object],
) -> Student:
    """Train a student and leave its checkpoint; the same arguments give the same student on the same machine.

    Args:
        kind: generator or ranker.
        triples: what it learns, those of the train split only. Triples with the tail `NOTHING` are left out.
        vocabulary: the relations that may occur.
        folder: where the checkpoint goes; an older one is replaced.
        encode: the sentence encoder, used by the ranker.
        seed: seed of initial weights, order and dropout.
        base: name or path of a pre-trained causal language model to fine-tune; generator only.
        epochs: passes over the data; None derives them from its size.
        manifest: JSON-like description of the data, kept with the checkpoint.

    Raises:
        InputError: no triples, several languages, an option that does not fit, or a base that cannot be opened.
        UnknownRelation: a relation that is not in the vocabulary.
    """
    triples = [triple for triple in triples if not triple.says_nothing]
    present = {vocabulary[name].name for name in dict.fromkeys(triple.relation for triple in triples)}
    relations = tuple(name for name in vocabulary.names if name in present)
    languages = sorted({triple.lang for triple in triples})
    if kind not in KINDS:
        raise InputError(f"no student of kind {kind!r}; there are {' and '.join(KINDS)}")
    if not triples:
        raise InputError("there is no triple to train a student on; load triples, or widen the filter")
    if len(languages) > 1:
        raise InputError(f"a student speaks one language, the triples have {', '.join(languages)}; filter them by lang")
    if base is not None and kind != "generator":
        raise InputError("only the generator can start from a base model")
    if epochs is not None and epochs < 1:
        raise InputError(f"a student trains for at least 1 epoch, not {epochs}")
    progress = folder.with_name(f".{folder.name}.progress")
    student: Student
    if kind == "generator":
        from student.generator.training import train_generator  # noqa: PLC0415 - brings torch in

        student = train_generator(triples, relations, seed=seed, base=base, epochs=epochs, progress=progress)
    else:
        from student.ranker.training import train_ranker  # noqa: PLC0415 - brings torch in

        student = train_ranker(triples, relations, encode, seed=seed, epochs=epochs)
    student.manifest = dict(manifest)
    with new_folder(folder) as draft:
        student.save(draft)
        _write(draft / "metrics.json", student.metrics)
        _write(draft / "manifest.json", student.manifest)
    progress.unlink(missing_ok=True)
    return student


def load(folder: Path, encode: Encode) -> Student:
    """Open a student's checkpoint.

    Args:
        folder: what `train` wrote.
        encode: the sentence encoder that the student was trained with.

    Raises:
        NotFound: there is no checkpoint.
        InputError: the checkpoint is damaged.
    """
    if not (folder / "student.json").is_file():
        raise NotFound(f"no student in {folder}; train one with `kg student train`")
    kind = read_settings(folder)["kind"]
    student: Student
    try:
        if kind == "generator":
            from student.generator.model import Generator  # noqa: PLC0415 - brings torch in

            student = Generator.load(folder)
        elif kind == "ranker":
            from student.ranker.model import Ranker  # noqa: PLC0415 - brings torch in

            student = Ranker.load(folder, encode)
        else:
            raise InputError(f"the student in {folder} is of kind {kind!r}; known are {' and '.join(KINDS)}")  # noqa: TRY301
        student.metrics = _read(folder / "metrics.json")
        student.manifest = _read(folder / "manifest.json")
    except InputError:
        raise
    except Exception as error:  # safetensors, tokenizers and transformers raise what they like on damaged files
        raise InputError(
            f"the student in {folder} is damaged ({type(error).__name__}: {str(error)[:200]}); train it again"
        ) from error
    return student


def read_settings(folder: Path) -> dict[str, Any]:
    """Return a checkpoint's `student.json`.

    Raises:
        InputError: it is no JSON object with a kind.
    """
    settings = _read(folder / "student.json")
    if "kind" not in settings:
        raise InputError(f"{folder / 'student.json'} does not say which kind of student it is; train it again")
    return settings


def read_manifest(folder: Path) -> dict[str, Any]:
    """Return what a checkpoint was trained on, without opening the model.

    Raises:
        NotFound: there is no checkpoint.
        InputError: the manifest is damaged.
    """
    if not (folder / "student.json").is_file():
        raise NotFound(f"no student in {folder}; train one with `kg student train`")
    return _read(folder / "manifest.json")


def _write(path: Path, content: Mapping[str, object]) -> None:
    path.write_text(strict_json.write(content, indent=1) + "\n", encoding="utf-8")


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path} is damaged ({error}); train the student again") from error
    if not isinstance(content, dict):
        raise InputError(f"{path} is damaged (no JSON object); train the student again")
    return content
