"""Students on disk: train one into a folder, open a folder again.

    students/<id>/
    ├── student.json           kind, relations and what else the kind needs to be opened
    ├── metrics.json           figures of the training
    ├── manifest.json          what it was trained on: query, parameters, counts, content hash, seed, language;
    │                          `saved`, a hash of the student's own files; `derived_from` where terms
    │                          come with the base or the data
    ├── NOTICE, GEMMA_TERMS.html                               these terms, there and only there
    ├── model.safetensors      weights
    ├── config.json, tokenizer.json, tokenizer_config.json     generator: as transformers writes them
    └── tails.jsonl, tails.safetensors                         ranker: the known tails and their embeddings

A folder appears whole or not at all, and nothing in it is a pickle. While a generator is trained, its progress is
kept beside the folder (`.<name>.progress`), so that training again with the same arguments goes on from there.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kg.errors import InputError
from kg.identity import unordered_hash
from kg.language_model.terms import FIELD, derived, derived_field, write_notice
from kg.lines import file_hash
from kg.model import Triple
from kg.vocabulary import Vocabulary
from kg.workspace import new_folder
from student.files import read_json, read_manifest, read_settings, write_json, write_manifest
from student.interface import Encode, Recipe, Student
from student.kinds import KINDS, kind_named
from student.objective import Objective


def train_checkpoint(
    kind: str,
    triples: Sequence[Triple],
    vocabulary: Vocabulary,
    folder: Path,
    *,
    encode: Encode,
    seed: int,
    base: str | None = None,
    epochs: int | None = None,
    form: str | None = None,
    objective: Objective = Objective(),  # noqa: B008 - nobody changes it
    weights: Mapping[Triple, float] | None = None,
    held_out: Sequence[Triple] = (),
    manifest: Mapping[str, Any],
) -> Student:
    """Train a student and leave its checkpoint; the same arguments give the same student on the same machine.

    Args:
        kind: a name in `student.kinds`.
        triples: the triples to learn, of the train split only. Triples with the tail `NOTHING` are left out,
            unless the objective learns it.
        vocabulary: the relations that may occur.
        folder: where the checkpoint goes; an older one is replaced.
        encode: the sentence encoder.
        seed: seed of initial weights, order and dropout.
        base: name or path of a pre-trained causal language model to fine-tune, for kinds that take one.
        epochs: passes over the data; None derives them from its size.
        form: in which the student is asked, for kinds that take a base.
        objective: what the training makes small, for kinds that take a base.
        weights: of the triples, where the objective weighs them.
        held_out: triples of validation events, where the objective has patience; of other relations none counts.
        manifest: JSON-like description of the data, kept with the checkpoint. What it or the base is `derived_from`
            is kept with it, and the notice and terms of that.

    Raises:
        InputError: no triples, several languages, an option that does not fit, or a base that cannot be opened.
        UnknownRelation: a relation that is not in the vocabulary.
    """
    triples = [triple for triple in triples if objective.nothing or not triple.says_nothing]
    present = {vocabulary[name].name for name in dict.fromkeys(triple.relation for triple in triples)}
    relations = tuple(name for name in vocabulary.names if name in present)
    languages = sorted({triple.lang for triple in triples})
    trained = kind_named(kind)
    if not triples:
        raise InputError("there is no triple to train a student on; load triples, or widen the filter")
    if len(languages) > 1:
        raise InputError(f"a student speaks one language, the triples have {', '.join(languages)}; filter them by lang")
    if base is not None and not trained.takes_base:
        takers = " and ".join(name for name, other in KINDS.items() if other.takes_base)
        raise InputError(f"only the {takers} can start from a base model")
    if objective != Objective() and not trained.takes_base:
        raise InputError(
            f"a {kind} has one objective; leave out --loss, --weight, --soft, --schedule, --patience and --nothing"
        )
    if form is not None and not trained.takes_base:
        raise InputError(f"a {kind} is asked in no form; leave out --format")
    if epochs is not None and epochs < 1:
        raise InputError(f"a student trains for at least 1 epoch, not {epochs}")
    known = [
        triple for triple in held_out if triple.relation in present and (objective.nothing or not triple.says_nothing)
    ]
    phrases = {name: vocabulary[name].in_language(languages[0]).phrase for name in relations}
    progress = folder.with_name(f".{folder.name}.progress")
    student = trained.train(
        triples, relations, Recipe(encode, seed, epochs, base, phrases, progress, form, objective, weights or {}, known)
    )
    origin = derived(student.derived_from, manifest.get(FIELD))
    with new_folder(folder) as draft:
        student.save(draft)
        saved = unordered_hash(f"{path.name} {file_hash(path)}" for path in draft.iterdir())
        student.manifest = dict(manifest) | derived_field(origin) | {"saved": saved}
        write_notice(draft, origin, beside=Path(base) if base else None)
        write_json(draft / "metrics.json", student.metrics)
        write_manifest(draft, student.manifest)
    progress.unlink(missing_ok=True)
    return student


def load(folder: Path, encode: Encode) -> Student:
    """Open a student's checkpoint.

    Args:
        folder: one that `train_checkpoint` wrote.
        encode: the sentence encoder that the student was trained with.

    Raises:
        NotFound: there is no checkpoint.
        InputError: the checkpoint is damaged.
    """
    kind = kind_named(read_settings(folder)["kind"])
    try:
        student = kind.load(folder, encode)
        student.metrics = read_json(folder / "metrics.json")
        student.manifest = read_manifest(folder)
    except InputError:
        raise
    except Exception as error:  # safetensors, tokenizers and transformers raise what they like on damaged files
        raise InputError(
            f"the student in {folder} is damaged ({type(error).__name__}: {str(error)[:200]}); train it again"
        ) from error
    return student
