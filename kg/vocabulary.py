"""The relations that a graph may have: data, not code.

A vocabulary is a TOML file with one table a relation. Eight are shipped: `atomic` (9 relations), `atomic2020` (23),
`skd` (the 7 of West et al. 2021), `skd2` (the 13 of its 2.1 release), `conceptnet`, and
`cskg` (ConceptNet, ATOMIC-2020 and more), `ckbp` (26), `lama` (50). Users bring their own:

    extends = "skd"                 # optional: a shipped name or a path, or a list of them
    only = ["xWant"]                # optional: what to keep of it
    lang = "ja"                     # optional: the language of its phrases and of what is loaded with it, else English

    [mayBuy]
    phrase = "so PersonX may buy"   # puts head and tail into one sentence
    question = "What might PersonX buy?"
    symmetric = false               # optional
    about_person = false            # optional: the tail is a predicate of PersonX ("to rest", "tired")
    source = "our shop"             # optional
    tail_kind = ["aim"]             # optional, for kg critic rules: tails are a "state", "aim", "action" or "event"
    tail_time = "after"             # optional: they come "before" or "after" the event
    opposite = ["mayReturn"]        # optional: relations that cannot have the same tail
    templates = ["{head} makes people buy {tail}"]   # optional: other sentences of a triple, for critics to ask about
    phrases = { ja = "。それでXが買うのは、" }           # optional: the phrase in other languages, by their BCP 47 tags
    questions = { ja = "Xは何を買う" }                   # optional: the question likewise
"""

import difflib
import re
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields, replace
from importlib import resources
from pathlib import Path
from typing import Any

from kg.errors import InputError, UnknownRelation
from kg.languages import primary

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")
_IN_LANGUAGE = re.compile(r"[A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,8})*: ")
_SLOT = re.compile(r"\{.*?\}")
_RESERVED = frozenset({"HEAD", "TAIL", "RELATION"})  # the graph's own relationship types
_FILES = frozenset({"events", "chat", "seeds"})  # files of a folder of prompts, where a relation's prompt is NAME.txt
_TAIL_KINDS, _TAIL_TIMES = ("state", "aim", "action", "event"), ("before", "after")
_DEEPEST = 20  # vocabularies, each of which extends the next one


@dataclass(frozen=True, slots=True)
class Relation:
    """One relation.

    Attributes:
        name: its identifier, and its relationship type in Neo4j.
        phrase: words between head and tail that make a sentence of a triple.
        question: what an annotator is asked about the head.
        symmetric: whether the triple may be read in both directions.
        about_person: whether the tail is a predicate of PersonX rather than an event of its own.
        source: where the relation was published.
        tail_kind: what tails may be, of `state`, `aim` ("to rest"), `action` ("rests") and `event` (a sentence of its
            own), parted by blanks; empty where that is not said.
        tail_time: whether they come `before` or `after` the head; empty likewise.
        opposite: names of relations that a tail of this one contradicts, parted by blanks.
        templates: other sentences that a triple makes, with `{head}` and `{tail}` in them, each once; sorted.
        phrases: the phrase in other languages, each behind its BCP 47 tag, a colon and a blank; sorted.
        questions: the question likewise.
    """

    name: str
    phrase: str
    question: str = ""
    symmetric: bool = False
    about_person: bool = False
    source: str = ""
    tail_kind: str = ""
    tail_time: str = ""
    opposite: str = ""
    templates: tuple[str, ...] = ()
    phrases: tuple[str, ...] = ()
    questions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise InputError(
                f"relation name {self.name[:80]!r} is not an identifier: a letter, then up to 63 letters, digits or _"
            )
        if self.name in _RESERVED:
            raise InputError(f"relation name {self.name!r} is used by the graph itself; choose another")
        if self.name.lower() in _FILES:
            raise InputError(
                f"relation name {self.name!r} is that of a file of prompts, {self.name}.txt; choose another"
            )
        self._check_templates()
        self._check_languages()
        self._check_rules()

    def in_language(self, lang: str) -> "Relation":
        """Return the relation with its phrase and its question in a language, as far as it has them there.

        Where it has a phrase it has no templates, which are sentences of the vocabulary's own language.

        Args:
            lang: BCP 47 tag; "ja-JP" takes what is there for "ja".

        >>> Relation("xNeed", "after", phrases=("ja: 。その前に、",)).in_language("ja-JP").phrase
        '。その前に、'
        """
        own = {field: dict(text.split(": ", 1) for text in getattr(self, field)) for field in ("phrases", "questions")}
        chosen = {field[:-1]: texts.get(lang, texts.get(primary(lang))) for field, texts in own.items()}
        found: dict[str, Any] = {name: text for name, text in chosen.items() if text is not None}
        if "phrase" in found:
            found["templates"] = ()
        return replace(self, **found)

    def _check_languages(self) -> None:
        for name in ("phrases", "questions"):
            texts = getattr(self, name)
            if not isinstance(texts, list | tuple) or not all(isinstance(one, str) for one in texts):
                raise InputError(f"{name} of relation {self.name!r} is no table of languages")
            if bad := [one for one in texts if not _IN_LANGUAGE.match(one)]:
                raise InputError(f"{name} of relation {self.name!r} has {bad[0][:80]!r}, which names no language")
            object.__setattr__(self, name, tuple(sorted(set(texts))))

    def _check_templates(self) -> None:
        if not isinstance(self.templates, list | tuple) or not all(isinstance(one, str) for one in self.templates):
            raise InputError(f"the templates of relation {self.name!r} are not a list of texts")
        if bad := [one for one in self.templates if sorted(_SLOT.findall(one)) != ["{head}", "{tail}"]]:
            raise InputError(
                f"template {bad[0][:80]!r} of relation {self.name!r} does not have {{head}} and {{tail}}, each once"
            )
        object.__setattr__(self, "templates", tuple(sorted(set(self.templates))))

    def _check_rules(self) -> None:
        for name in ("tail_kind", "tail_time", "opposite"):
            if not isinstance(getattr(self, name), str):
                raise InputError(f"{name} of {self.name} is no text")
        for name, allowed in (("tail_kind", _TAIL_KINDS), ("tail_time", _TAIL_TIMES)):
            if bad := [one for one in getattr(self, name).split() if one not in allowed]:
                raise InputError(f"{name} {bad[0][:40]!r} of {self.name} is not {' or '.join(allowed)}")
        if len(self.tail_time.split()) > 1:
            raise InputError(f"tail_time of {self.name} is either before or after")
        if bad := [one for one in self.opposite.split() if not _NAME.fullmatch(one)]:
            raise InputError(f"opposite {bad[0][:80]!r} of {self.name} is no name of a relation")


class Vocabulary:
    """A set of relations in a fixed order.

    Attributes:
        name: how the vocabulary is called in messages.
        lang: BCP 47 tag of the texts that are loaded with it, where its file says one.
    """

    def __init__(
        self, relations: Iterable[Relation], name: str = "the graph's vocabulary", lang: str | None = None
    ) -> None:
        self.name = name
        self.lang = lang
        self._relations = {relation.name: relation for relation in relations}

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the relations, in the vocabulary's order."""
        return tuple(self._relations)

    def __iter__(self) -> Iterator[Relation]:
        return iter(self._relations.values())

    def __len__(self) -> int:
        return len(self._relations)

    def __contains__(self, name: object) -> bool:
        return name in self._relations

    def __getitem__(self, name: str) -> Relation:
        """Return a relation by its name.

        Raises:
            UnknownRelation: there is no such relation; the message names the near ones.
        """
        try:
            return self._relations[name]
        except KeyError:
            folded = {known.lower(): known for known in self._relations}
            near = [folded[match] for match in difflib.get_close_matches(name[:80].lower(), folded, n=3)]
            hint = f"; did you mean {' or '.join(near)}?" if near else f"; it has {', '.join(self.names[:30])}"
            raise UnknownRelation(f"relation {name[:80]!r} is not in {self.name}{hint}") from None

    def in_language(self, lang: str) -> "Vocabulary":
        """Return the vocabulary with phrases and questions in a language, as far as relations have them there."""
        return Vocabulary((relation.in_language(lang) for relation in self), self.name, self.lang)

    @classmethod
    def load(cls, name: str) -> "Vocabulary":
        """Read a shipped vocabulary by its name, or a user's file by its path.

        Raises:
            InputError: no such vocabulary, no TOML, one that extends itself, or a relation that is not well described.
        """
        langs: list[str] = []
        return cls(_load(name, (), {}, langs), f"vocabulary {name}", langs[-1] if langs else None)


def _shipped_files() -> list[Any]:
    folder = resources.files("kg").joinpath("vocabularies")
    return [path for path in folder.iterdir() if path.name.endswith(".toml")]


def _load(name: str, above: tuple[str, ...], known: dict[str, list[Relation]], langs: list[str]) -> list[Relation]:
    """Return the relations of a vocabulary.

    Args:
        name: a shipped name or a path.
        above: the names of those that extend it, the outermost first.
        known: what was read before; it grows.
        langs: the languages that were read, the outermost vocabulary's last; it grows.
    """
    if name in known:
        return known[name]
    if name in above:
        raise InputError(
            f"vocabulary {above[0]} extends itself: {' extends '.join((*above[above.index(name) :], name))}"
        )
    if len(above) >= _DEEPEST:
        raise InputError(f"vocabulary {above[0]} extends more than {_DEEPEST - 1} others, each by the next one")
    shipped = {path.name.removesuffix(".toml"): path for path in _shipped_files()}
    if name in shipped:
        text = shipped[name].read_text(encoding="utf-8")
    elif not Path(name).is_file():
        raise InputError(f"no vocabulary {name!r}: neither a file nor one of {', '.join(sorted(shipped))}")
    else:
        try:
            text = Path(name).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"cannot read vocabulary {name}: {error}") from error
    known[name] = _read(text, name, (*above, name), known, langs)
    return known[name]


def _read(
    text: str, name: str, above: tuple[str, ...], known: dict[str, list[Relation]], langs: list[str]
) -> list[Relation]:
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"vocabulary {name} is not valid TOML: {error}") from error
    relations: list[Relation] = []
    base, only, lang = (content.pop(key, None) for key in ("extends", "only", "lang"))
    if base is not None:
        bases = base if isinstance(base, list) else [base]
        inherited = Vocabulary(relation for one in bases for relation in _load(str(one), above, known, langs))
        relations = [inherited[kept] for kept in only] if only is not None else list(inherited)
    parts = {field.name for field in fields(Relation)} - {"name"}
    for key, table in content.items():
        if not isinstance(table, dict) or not isinstance(table.get("phrase"), str) or table.keys() - parts:
            raise InputError(
                f"vocabulary {name}: {key!r} must be a table with a phrase and, if wanted, {', '.join(sorted(parts))}"
            )
        _flatten(table, name, key)
        relations.append(Relation(key, **table))
    if not relations:
        raise InputError(f"vocabulary {name} has no relation")
    if lang is not None:
        if not isinstance(lang, str) or not _IN_LANGUAGE.fullmatch(f"{lang}: "):
            raise InputError(f"vocabulary {name}: lang {str(lang)[:40]!r} is no tag of a language")
        langs.append(lang)
    return relations


def _flatten(table: dict[str, Any], name: str, key: str) -> None:
    """Make of the table of a relation what `Relation` takes: lists of names become texts, tables of languages lists."""
    for field in ("tail_kind", "tail_time", "opposite"):
        given = table.get(field, "")
        names = given if isinstance(given, list) else [given]
        if not all(isinstance(one, str) for one in names):
            raise InputError(f"vocabulary {name}: {field} of {key!r} must be a text, or a list of texts")
        table[field] = " ".join(names)
    for field in ("phrases", "questions"):
        given = table.get(field, {})
        if not isinstance(given, dict) or not all(isinstance(text, str) for text in given.values()):
            raise InputError(f"vocabulary {name}: {field} of {key!r} must be a table of languages and texts")
        table[field] = [f"{lang}: {text}" for lang, text in given.items()]
