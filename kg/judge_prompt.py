"""The question that a language model is asked as an annotator, and how its answer is read: strictly.

It sees what a person sees (`critic.judging`): the triple as a sentence, the relation's question, the five verdicts in
words; no score, no source, no other verdict. Of the completions interface and of a base model in this process, which
go on from examples, it sees five statements with a verdict each before, of our own.
"""

import hashlib
import re
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from itertools import islice, permutations
from types import TracebackType
from typing import Any, Self

from critic.judging import VERDICTS, Question, Verdict
from ingest.teacher.messages import Reply, Request, Teacher
from ingest.thinking import without_thinking
from kg import strict_json
from kg.errors import MalformedReply

_VALUES = {verdict.words: verdict.value for verdict in VERDICTS}
FORMAT = {
    "type": "json_schema",
    "json_schema": {
        "name": "verdict",
        "strict": True,
        "schema": {
            "type": "object",
            "properties": {"verdict": {"type": "string", "enum": [*_VALUES]}},
            "required": ["verdict"],
            "additionalProperties": False,
        },
    },
}
"""The `response_format` of a chat request."""

_CHAT = """You judge whether statements hold in general.{persons}

Statement: {sentence}
{asked}
How true is the statement? Choose one of these verdicts:
{verdicts}

Reply with a JSON object and nothing else, with the verdict word for word: {{"verdict": "..."}}"""
_PERSONS = " PersonX and PersonY stand for any two people."
_ASKED = """It is meant as an answer to a question about this: {head}
Question: {question}
Answer: {tail}
"""
_COMPLETIONS = """How true is each statement? The verdicts are: {verdicts}.

{examples}

Statement: {sentence}
Verdict:"""
_EXAMPLES = (
    ("PersonX runs a marathon and as a result PersonX feels tired.", "always or often true"),
    ("PersonX adopts a dog and as a result PersonX meets the neighbours.", "sometimes or likely true"),
    ("PersonX waters the plants because PersonX wanted to win an election.", "farfetched or never true"),
    ("PersonX boils an egg and as a result PersonX the seven of.", "makes no sense"),
    ("PersonX grinks the velm and as a result PersonX feels proud.", "too unfamiliar to judge"),
)
PROMPT_DIGEST = hashlib.sha256(f"{_CHAT}\0{_ASKED}\0{_COMPLETIONS}\0{_EXAMPLES}\0{_VALUES}".encode()).hexdigest()
"""What tells these prompts from those of other versions."""

_STEP = 37  # from one order of five verdicts to the next one used: has no factor in common with their number, 120
_FENCE = re.compile(r"```(?:json)?\s*\n(.*)\n\s*```", re.DOTALL)


def render(question: Question, vote: int, *, chat: bool) -> str:
    """Return the prompt for one vote on a triple, from 0.

    The first vote has the verdicts in the order that people see; each other one has another order, so that a liking for
    the first of a list evens out, and no two votes are the same request even for a server that takes no seed.
    """
    order = _order(vote)
    one_line = {name: " ".join(getattr(question, name).split()) for name in ("sentence", "head", "question", "tail")}
    if chat:
        asked = _ASKED.format(**one_line) if question.question else ""
        verdicts = "\n".join(f'- "{verdict.words}"' for verdict in order)
        persons = _PERSONS if "Person" in one_line["sentence"] else ""
        return _CHAT.format(persons=persons, sentence=one_line["sentence"], asked=asked, verdicts=verdicts)
    examples = "\n\n".join(f"Statement: {sentence}\nVerdict: {words}" for sentence, words in _EXAMPLES)
    verdicts = "; ".join(verdict.words for verdict in order)
    return _COMPLETIONS.format(sentence=one_line["sentence"], examples=examples, verdicts=verdicts)


def verdict_in(text: str) -> int | None:
    r"""Return the verdict that a text is, one of `JUDGEMENT_VALUES`; None where it is not just one, in our words.

    >>> verdict_in('{"verdict": "makes no sense"}'), verdict_in("Makes no sense."), verdict_in('```json\n"x"\n```')
    (-2, -2, None)
    >>> verdict_in("I think it makes no sense"), verdict_in("2"), verdict_in('{"verdict": ["makes no sense"]}')
    (None, None, None)
    """
    said = without_thinking(text).strip()
    if fenced := _FENCE.fullmatch(said):
        said = fenced[1].strip()
    if said.startswith("{"):
        if said.count('"verdict"') > 1:
            return None
        try:
            content = strict_json.read(said)
        except ValueError:
            return None
        found = content.get("verdict") if isinstance(content, dict) else None
        if not isinstance(found, str):
            return None
        said = found
    return _VALUES.get(" ".join(said.strip("\"'*.` \n").casefold().split()))


class VerdictTeacher:
    """A teacher whose replies are verdicts: any other reply is as malformed as one that cannot be read."""

    def __init__(self, teacher: Teacher) -> None:
        """Take the place of a teacher, whose dialect is shared."""
        self._teacher = teacher
        self.model, self.interface, self.server = teacher.model, teacher.interface, teacher.server
        self.dialect = teacher.dialect

    async def __aenter__(self) -> Self:
        await self._teacher.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._teacher.__aexit__(kind, error, trace)

    def request(self, name: str, text: str, count: int, settings: Mapping[str, Any]) -> Request:
        """Return the request for `count` texts that go on from a text."""
        return self._teacher.request(name, text, count, settings)

    def reword(self, request: Request, words: AbstractSet[str] = frozenset()) -> Request:
        """Return a request in the dialect learnt so far, and in further words."""
        return self._teacher.reword(request, words)

    def wordings(self, request: Request) -> list[Request]:
        """Return all wordings in which a request may have been paid for."""
        return self._teacher.wordings(request)

    async def ask(self, request: Request) -> Reply:
        """Return the reply, which is a verdict.

        Raises:
            MalformedReply: it is none; asking again may help.
            TeacherError: as the teacher's own.
        """
        reply = await self._teacher.ask(request)
        if self.value(reply) is None:
            text = reply.completions[0].text
            malformed = MalformedReply(f"the answer is no verdict: {' '.join(text.split())[:120]}")
            malformed.tokens = (reply.usage.prompt_tokens, reply.usage.completion_tokens)
            raise malformed
        return reply

    def value(self, reply: Reply) -> int | None:
        """Return the verdict that a reply is; of a model that goes on after its first line, that line counts."""
        text = without_thinking(reply.completions[0].text).strip()
        return verdict_in(text if self.interface == "chat" else text.partition("\n")[0])


def _order(vote: int) -> tuple[Verdict, ...]:
    return next(islice(permutations(VERDICTS), vote * _STEP % 120, None))
