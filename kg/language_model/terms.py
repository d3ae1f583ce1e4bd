"""The terms of a language model, and of what is made from it.

Gemma's terms reach every model that starts from Gemma's weights, learns from texts that Gemma wrote, or from its
probabilities. Such a model's manifest says `"derived_from": "gemma"`, and its folder holds

    NOTICE               the sentence that the terms ask for, what was changed, and which uses are restricted
    GEMMA_TERMS.html     the terms themselves, copied from the installed weights package

A copy goes nowhere without them (`refuse_to_publish_without`). Texts that Gemma wrote are not under the terms (3.3).
"""

import shutil
from collections.abc import Iterable
from pathlib import Path

from kg import strict_json
from kg.errors import InputError, NotReady
from kg.language_model.weights import HOW_TO_GET, TERMS, find_package

GEMMA = "gemma"
FIELD = "derived_from"
"""The optional field of a manifest: `GEMMA`, or absent."""

NOTICE = "NOTICE"
ADDRESS = "ai.google.dev/gemma/terms"
SENTENCE = f"Gemma is provided under and subject to the Gemma Terms of Use found at {ADDRESS}"
"""What a notice has to say, word for word (section 3.1 of the terms)."""
RESTRICTIONS = (
    "Use of this model, of copies of it and of models made from it is restricted: section 3.2 of the terms, and the "
    "Gemma Prohibited Use Policy at ai.google.dev/gemma/prohibited_use_policy, bind whoever has one. Whoever passes a "
    "copy on has to pass on these restrictions, the terms and this notice."
)
_CHANGED = (
    "This model was derived from Gemma by skd-graph: its files are not those of Gemma, but were made from its weights "
    "or from what it wrote."
)
_CARD = "README.md"
_MANIFEST, _CONFIG = "manifest.json", "config.json"


def derived(*origins: str | None) -> str | None:
    """Return what a model is derived from, given what each of its sources is derived from.

    Args:
        origins: `GEMMA`, or None for a source that is under no such terms; of weights, of training texts, of soft
            targets.

    >>> derived(None, "gemma"), derived(None), derived()
    ('gemma', None, None)
    """
    return next((origin for origin in origins if origin), None)


def derived_field(*origins: str | None) -> dict[str, str]:
    """Return what a manifest says of the sources' terms: the field, or nothing.

    >>> derived_field("gemma", None), derived_field(None)
    ({'derived_from': 'gemma'}, {})
    """
    origin = derived(*origins)
    return {FIELD: origin} if origin else {}


def origin_of_name(name: str) -> str | None:
    """Return what the texts of a teacher of this name are derived from.

    >>> origin_of_name("google/gemma-3-1b-pt"), origin_of_name("gpt-4o-mini")
    ('gemma', None)
    """
    return GEMMA if GEMMA in name.casefold() else None


def origin_of_folder(folder: Path) -> str | None:
    """Return what the model in a folder is derived from: by its manifest, else by the kind of model in its config.

    Raises:
        InputError: one of these files is damaged, or the manifest names terms that this version does not know.
    """
    manifest, config = _read(folder / _MANIFEST), _read(folder / _CONFIG)
    origin = manifest.get(FIELD)
    if origin not in (None, GEMMA):
        raise InputError(f"{folder / _MANIFEST} says {FIELD}: {str(origin)[:40]!r}, whose terms are unknown here")
    return derived(origin, origin_of_config(config.get("model_type")))


def origin_of_config(model_type: object) -> str | None:
    """Return what a model whose configuration has this `model_type` is derived from: gemma3_text, t5gemma and others.

    >>> origin_of_config("gemma3_text"), origin_of_config("gpt2"), origin_of_config(None)
    ('gemma', None, None)
    """
    return origin_of_name(str(model_type))


def write_notice(folder: Path, origin: str | None = GEMMA, *, beside: Path | None = None) -> None:
    """Put notice, restrictions and terms into the folder of a model that is derived from Gemma.

    Where no copy of the terms is to be had the notice is written all the same, and `refuse_to_publish_without` names
    the file that is missing.

    Args:
        folder: an existing one.
        origin: what the model is derived from; None leaves the folder as it is.
        beside: the folder of the model that it was made from, which may have a copy of the terms; otherwise the
            weights package has one.
    """
    if origin is None:
        return
    (folder / NOTICE).write_text(f"{SENTENCE}\n\n{_CHANGED}\n\n{RESTRICTIONS}\n", encoding="utf-8")
    package = find_package()
    places = [package.terms] if package else []
    places += [beside / TERMS] if beside else []
    for path in places:
        if path.is_file():
            shutil.copyfile(path, folder / TERMS)
            return


def card_lines() -> tuple[str, ...]:
    """Return what the card (README.md) of a published copy says of the terms, as paragraphs."""
    return SENTENCE + ".", _CHANGED, RESTRICTIONS


def refuse_to_publish_without(folder: Path) -> None:
    """Make sure that the folder of a model carries what the terms of its origin ask for, before a copy goes anywhere.

    Raises:
        NotReady: the model is derived from Gemma, and its notice, its restrictions, a copy of the terms, or the notice
            in its card, where it has one, is missing.
        InputError: the manifest is damaged, or names terms that this version does not know.
    """
    if origin_of_folder(folder) is None:
        return
    needed = {NOTICE: (SENTENCE, RESTRICTIONS), TERMS: ("Gemma Terms of Use", "Prohibited Use Policy")}
    if (folder / _CARD).exists():
        needed[_CARD] = (SENTENCE, RESTRICTIONS)
    lacking = [name for name, texts in needed.items() if not _says(folder / name, texts)]
    if lacking:
        raise NotReady(
            f"{folder} is derived from Gemma and cannot be published: {' and '.join(lacking)} must carry the notice, "
            f"the restrictions or the terms ({ADDRESS}); {HOW_TO_GET} brings the terms, then train it again"
        )


def _says(path: Path, texts: Iterable[str]) -> bool:
    try:
        found = " ".join(path.read_text(encoding="utf-8").split())
    except (OSError, UnicodeError):
        return False
    return all(text in found for text in texts)


def _read(path: Path) -> dict[str, object]:
    """Return the JSON object in a file, an empty one if there is no such file."""
    try:
        content = strict_json.read(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, ValueError) as error:
        raise InputError(f"{path} is damaged: {' '.join(str(error).split())[:200]}") from error
    if not isinstance(content, dict):
        raise InputError(f"{path} is damaged: no JSON object")
    return content
