"""Cloze: a language model fills the blank behind an event and a relation's phrase, and its best tails become edges.

"Alex misses the bus, as a result, Alex feels" is put to the model, with names for persons, in the words of a relation's
template or of its phrase. Without candidates a causal model's likeliest tails are searched for by beams, up to a
full stop; with candidates they are compared at the blank as `kg probe` does, by a masked model, too. The tails are
cleaned like a teacher's, and the run can be scored and undone like a teacher's.

What the model answered is kept in the run's folder as it comes: the same command again goes on where it stopped.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
from more_itertools import chunked

from ingest.cleaning import Completion, clean_tails
from ingest.teacher.run import listing
from kg import strict_json
from kg.errors import InputError
from kg.graph.knowledge import KnowledgeGraph
from kg.identity import unordered_hash
from kg.language_model.opening import DEFAULT, fingerprint, open_language_model, origin_of_model
from kg.language_model.terms import derived_field
from kg.languages import begun, has_unspaced, joined, language, named, persons
from kg.lines import file_hash
from kg.model import Assertion, Triple
from kg.probing.candidates import OWN
from kg.probing.masked import is_masked
from kg.probing.opening import open_probe
from kg.probing.wording import HEAD, TAIL, Blank, Template, render
from kg.run import CLOZE_KIND, Run, write_record
from kg.vocabulary import Relation, Vocabulary
from kg.workspace import Workspace, naming, new_file

_TOGETHER = 32  # events that are asked about at once
_BEAMS = 2  # for each tail that is wanted: some are dropped in cleaning
_SPARE = 10  # candidates for each tail that is wanted, likewise
_MAX_TOKENS = 24  # of a tail
_ENDS = re.compile(r"[.!?;\n]\s*|\s*\n\s*")  # what a token that ends a tail says

Answer = Callable[[Sequence[Blank], int], Iterator[list[Completion]]]
"""Sentences and a number to that many tails of each, the best first."""


@dataclass(frozen=True, slots=True)
class Filled:
    """The result of a run: tails left after cleaning, edges new in the graph, what each rule dropped, the folder."""

    run: str
    pairs: int
    kept: int
    offered: int
    added: int
    rules: Counter[str]
    folder: Path


def fill(
    graph: KnowledgeGraph,
    workspace: Workspace,
    events: Sequence[str],
    relations: Sequence[Relation],
    *,
    model: str = DEFAULT,
    top: int = 5,
    candidates: str | None = None,
    templates: Mapping[str, Template] | None = None,
    lang: str = "en",
    progress: Callable[[int], object] = lambda _: None,
) -> Filled:
    """Let a language model fill the blank behind events and relations, as one run.

    Args:
        graph: where the tails go.
        workspace: where the run's folder is.
        events: texts of heads.
        relations: about which tails are asked for.
        model: causal or masked: a folder, a name on a hub, or `kg.language_model.opening.DEFAULT`.
        top: tails of an event and a relation, at most.
        candidates: `own`, or a file with one a line; None searches freely, or is `own` for a masked model.
        templates: published ones, by relation.
        lang: BCP 47 tag of the texts.
        progress: called with numbers of pairs of event and relation.

    Raises:
        InputError: the model or the candidates cannot be used.
        NotReady: the model that comes with pip is asked for and not installed.
    """
    texts = dict.fromkeys(events)
    pairs = [(event, one) for one in (relation.in_language(lang) for relation in relations) for event in texts]
    masked = model != DEFAULT and is_masked(model)
    source = candidates or (OWN if masked else None)
    blanks = [blank_of(event, relation, templates or {}, lang) for event, relation in pairs]
    if not source and not all(blank.before.strip() for blank in blanks):
        raise InputError("a sentence that begins with its blank needs --candidates: nothing stands before it")
    parameters = {
        "fingerprint": fingerprint(model), "top": top, "lang": lang, "candidates": source,
        "sentences": unordered_hash(blank.fill("___") for blank in blanks), "number": len(pairs),
        "relations": sorted(relation.name for relation in relations), **derived_field(origin_of_model(model)),
    }  # fmt: skip
    if source not in (None, OWN):
        parameters["candidates_sha256"] = file_hash(Path(str(source)))
    run = Run(CLOZE_KIND, model=model, parameters=parameters)
    folder = workspace.folder("runs", run.id)
    graph.add_vocabulary(Vocabulary(relations))
    rules: Counter[str] = Counter()
    known = _Answers(folder / "answers.jsonl")
    with graph.running(run), listing(folder / "dropped.jsonl", "w") as note:

        def assertions() -> Iterator[Assertion]:
            answered = known.all(blanks, _opener(model, source), top, progress)
            for (event, relation), completions in zip(pairs, answered, strict=True):
                own = language(lang)
                said = {found[1] for found in persons(own).finditer(joined(event, relation.phrase))}
                names = {
                    form: person
                    for person, name in zip(own.persons, own.names, strict=False) if person in said
                    for form in (name, name.removesuffix(own.honorific))
                }  # fmt: skip
                cleaned = clean_tails(completions, names, event=event, lang=None if source else lang)
                rules.update(cleaned.rules)
                for text, rule in cleaned.dropped:
                    note(event=event, relation=relation.name, text=text[:500], rule=rule)
                for tail, one in list(cleaned.kept.items())[:top]:
                    yield Assertion(Triple(event, relation.name, tail, lang), logprob=one.total)

        offered, added = graph.add(assertions(), run)
        numbers = {"offered": offered, "dropped": strict_json.write(dict(sorted(rules.items())))}
        graph.finish(run, **numbers)
        write_record(folder, run, numbers)
    return Filled(run.id, len(pairs), known.kept, offered, added, rules, folder)


def blank_of(event: str, relation: Relation, templates: Mapping[str, Template], lang: str = "en") -> Blank:
    """Return the sentence of an event and a relation, as `Relation.in_language` gives it, with names for persons.

    >>> blank_of("PersonX naps", Relation("xWant", "as a result, PersonX wants"), {})
    Blank(before='Alex naps, as a result, Alex wants ', after='.')
    """
    has_persons = persons(language(lang)).search(event)
    sentence = begun(HEAD, relation.phrase) if has_persons else joined(HEAD, relation.phrase)
    ends = joined(sentence, TAIL) + ("。" if has_unspaced(sentence) else ".")
    before, after = render((templates.get(relation.name) or Template.of(ends)).text, event)
    return Blank(named(before, lang), named(after, lang))


def _opener(model: str, candidates: str | None) -> Callable[[], Answer]:
    return (lambda: _among(model, candidates)) if candidates else (lambda: _freely(model))


def _freely(model: str) -> Answer:
    """Return what searches for the likeliest tails behind a sentence's beginning, with log-probabilities."""
    from kg.language_model.generation import Writer  # noqa: PLC0415 - imports torch

    opened = open_language_model(model, "causal language model")
    texts = opened.tokenizer.batch_decode([[token] for token in range(len(opened.tokenizer))])
    ends = {token for token, text in enumerate(texts) if _ENDS.fullmatch(text)} | {opened.tokenizer.eos_token_id}
    writer = Writer(opened.model, opened.tokenizer, ends=ends - {None}, max_tokens=_MAX_TOKENS)

    def answer(blanks: Sequence[Blank], top: int) -> Iterator[list[Completion]]:
        found = writer.beams([blank.before.rstrip() for blank in blanks], max(2, _BEAMS * top), length_penalty=0.0)
        for tails in found:
            yield [
                Completion(
                    tail.text, tail.logprob / len(tail.logprobs), "stop" if tail.ended else "length", tail.logprob
                )
                for tail in tails
            ]

    return answer


def _among(model: str, candidates: str) -> Answer:
    """Return what compares candidates at a blank, each with the logarithm of its share of their probability."""
    probe, _ = open_probe(model, candidates, (), "auto")

    def answer(blanks: Sequence[Blank], top: int) -> Iterator[list[Completion]]:
        for scores in probe.scores(blanks):
            shares = scores - np.logaddexp.reduce(scores)
            best = np.argsort(-shares, kind="stable")[: _SPARE * top]
            yield [
                Completion(probe.candidates[one], min(0.0, float(shares[one])), "stop", min(0.0, float(shares[one])))
                for one in best
            ]

    return answer


class _Answers:
    """What a model answered, kept line by line; a line that was cut short by a kill is asked for again.

    Attributes:
        kept: how many answers were there before.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: dict[Blank, list[Completion]] = {}
        self.kept = 0

    def all(
        self, blanks: Sequence[Blank], opener: Callable[[], Answer], top: int, progress: Callable[[int], object]
    ) -> Iterator[list[Completion]]:
        """Yield the answer to each sentence, in their order; a model is opened only if one is lacking."""
        self._read()
        self.kept = sum(blank in self._known for blank in blanks)
        answer: Answer | None = None
        for some in chunked(blanks, _TOGETHER):
            new = [blank for blank in dict.fromkeys(some) if blank not in self._known]
            if new:
                answer = answer or opener()
                self._keep(zip(new, answer(new, top), strict=True))
            progress(len(some))
            yield from (self._known[blank] for blank in some)

    def _read(self) -> None:
        lines = self._path.read_bytes().split(b"\n") if self._path.is_file() else []
        for line in lines:
            try:
                blank, completions = msgspec.json.decode(line, type=tuple[Blank, list[Completion]])
            except (msgspec.MsgspecError, UnicodeError):
                continue
            self._known[blank] = completions
        with new_file(self._path) as draft:
            draft.write_text("".join(map(_line, self._known.items())), encoding="utf-8")

    def _keep(self, answers: Iterable[tuple[Blank, list[Completion]]]) -> None:
        with naming(self._path), self._path.open("a", encoding="utf-8") as file:
            for blank, completions in answers:
                self._known[blank] = completions
                file.write(_line((blank, completions)))


def _line(answer: tuple[Blank, list[Completion]]) -> str:
    return strict_json.write(answer) + "\n"
