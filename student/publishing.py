"""A student as people take it home: its folder with a card, on disk or on a model hub.

A published folder is the checkpoint, without what names this machine's folders, and with README.md. One that is derived
from Gemma goes nowhere without notice, restrictions and terms (`kg.language_model.terms`).
"""

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

from kg.errors import InputError
from kg.hub import send
from kg.language_model.terms import FIELD, GEMMA, derived_field, origin_of_folder, refuse_to_publish_without
from kg.workspace import new_folder
from student.card import CARD, base_of, is_place, model_card
from student.files import read_json, read_manifest, read_settings, write_json, write_manifest

_METRICS = "metrics.json"
_TOKENIZER = "tokenizer_config.json"
_LOCAL = ("base", "name_or_path", "_name_or_path", "soft")  # fields that may name a folder of this machine


def write_published(
    folder: Path, target: Path, *, name: str, licence: str | None = None, report: str | None = None
) -> None:
    """Write what is published of a student into a folder, which appears whole or not at all.

    Args:
        folder: the student's checkpoint.
        target: where it goes; an older one that was published there is replaced.
        name: of the student, for its card.
        licence: as `student.card.model_card` takes it.
        report: Markdown with its evaluation, for its card.

    Raises:
        NotFound: there is no checkpoint.
        NotReady: the student is derived from Gemma, and notice, restrictions or terms are missing.
        InputError: the checkpoint is damaged, the licence is not Gemma's where that holds, or the target is
            something else than a student that was published.
    """
    if target.resolve() == folder.resolve():
        raise InputError(f"{target} is the student itself; publish it into another folder")
    if target.exists() and not ((target / CARD).is_file() and (target / "student.json").is_file()):
        raise InputError(f"{target} is there and is no published student; name another folder")
    try:
        with new_folder(target, shared=True) as draft:
            _fill(folder, draft, name, licence, report)
    except OSError as error:
        raise InputError(f"cannot write {target}: {error.strerror or error}") from error


def upload(
    folder: Path, name: str, *, title: str | None = None, licence: str | None = None, report: str | None = None,
    public: bool = False,
) -> str:  # fmt: skip
    """Send a student to a model hub, and return its address there.

    Args:
        folder: the student's checkpoint.
        name: of the repository, OWNER/NAME, as `kg.hub.send` takes it.
        title: the student's name for its card; None takes the repository's.
        licence: as `student.card.model_card` takes it.
        report: Markdown with its evaluation, for its card.
        public: as `kg.hub.send` takes it.

    Raises:
        InputError: the name is none, the checkpoint is damaged, or the hub refused.
        NotFound: there is no checkpoint.
        NotReady: the student is derived from Gemma, and notice, restrictions or terms are missing; or the hub cannot
            be reached.
    """
    with TemporaryDirectory() as place:
        draft = Path(place)
        try:
            _fill(folder, draft, title or name.rpartition("/")[2], licence, report)
        except OSError as error:
            raise InputError(f"cannot make a copy of {folder}: {error.strerror or error}") from error
        return send(draft, name, "model", message="Publish the student", public=public)


def _fill(folder: Path, draft: Path, name: str, licence: str | None, report: str | None) -> None:
    """Put a student's files and card into an empty folder, and make sure that it may go out."""
    settings = read_settings(folder)
    origin = origin_of_folder(folder)
    if origin == GEMMA and licence not in (None, GEMMA):
        raise InputError(f"a student derived from Gemma is under Gemma's terms; its licence cannot be {licence}")
    for path in sorted(folder.iterdir()):
        if path.is_file() and not path.is_symlink() and path.name != CARD and not path.name.startswith("."):
            shutil.copyfile(path, draft / path.name)
    manifest = read_manifest(folder)
    encoder = dict(manifest.get("encoder") or {})
    if is_place(place := str(encoder.get("name") or "")):
        if settings["kind"] != "generator":
            raise InputError(
                f"the student stands on the sentence encoder in {place}, which nobody else has; train one on an "
                "encoder with a name on a hub"
            )
        manifest["encoder"] = encoder | {"name": Path(place).name}  # a generator does without it
    write_manifest(draft, manifest | {"base": base_of(manifest)} | derived_field(manifest.get(FIELD), origin))
    for file in (_METRICS, _TOKENIZER):
        if (draft / file).is_file():
            write_json(draft / file, _without_places(read_json(draft / file)))
    card = model_card(draft, name=name, licence=licence, report=report)
    (draft / CARD).write_text(card, encoding="utf-8")
    refuse_to_publish_without(draft)


def _without_places(content: dict[str, object]) -> dict[str, object]:
    """Return the content of a file without the fields that name folders of this machine, at any depth."""
    return {
        name: _without_places(value) if isinstance(value, dict) else value
        for name, value in content.items() if not (name in _LOCAL and is_place(str(value)))
    }  # fmt: skip
