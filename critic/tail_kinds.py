"""Which kinds of tail an English text may be: a state, an aim, an action, an event of its own.

| kind | for example |
|---|---|
| `state` | "tired", "a good friend" |
| `aim` | "to rest" |
| `action` | "gets a rest", without its subject |
| `event` | "PersonY is away", "the shop is closed" |

Told by the first words alone, and only where they leave no doubt. A text may be one of several kinds; of one that may
be any, nothing is said.
"""

import re

STATE, AIM, ACTION, EVENT = "state", "aim", "action", "event"

_SUBJECTS = frozenset({
    "personx", "persony", "personz", "i", "he", "she", "they", "we", "you", "it", "there", "nobody", "everyone",
    "everybody", "no-one",
})  # fmt: skip
_VAGUE = frozenset({
    "someone", "somebody", "people", "others", "a", "an", "the", "his", "her", "their", "my", "our", "your", "its",
    "some", "no", "this", "that", "these", "those", "personx's", "persony's",
})  # fmt: skip
"""A person, a thing or the beginning of a sentence about one."""

_FINITE = frozenset({
    "is", "are", "was", "were", "has", "had", "does", "did", "will", "would", "cannot", "can't", "won't", "isn't",
    "wasn't", "aren't", "doesn't", "didn't", "hasn't", "gets", "got", "becomes", "feels", "goes", "makes", "takes",
    "loses", "wins", "comes", "finds", "gives", "keeps", "runs", "falls", "needs", "wants", "starts", "stops",
    "sees", "receives", "saves", "earns", "learns", "looks", "thinks",
})  # fmt: skip
_STATES = re.compile(r"(?:ful|ous|less|ive|able|ible|ant|ent|ish|ical)$")
_VERBS = frozenset({
    "present", "content", "comment", "rent", "invent", "prevent", "consent", "patent", "live", "give", "dive",
    "drive", "arrive", "receive", "believe", "forgive", "achieve", "survive", "want", "plant", "grant", "paint",
    "print",
})  # fmt: skip
"""Words that end as states do, and may be what one does."""

_WORD = re.compile(r"[\w'-]+")


def kinds_of(text: str) -> frozenset[str]:
    """Return the kinds that a tail may be of; none where that cannot be told.

    >>> sorted(kinds_of("to rest")), sorted(kinds_of("tired and hungry")), sorted(kinds_of("the shop is closed"))
    (['aim'], [], ['event'])
    """
    words = _WORD.findall(text.casefold().replace("\N{RIGHT SINGLE QUOTATION MARK}", "'"))
    found: tuple[str, ...] = ()
    if len(words) > 1 and words[0] == "to":
        found = (AIM,)
    elif len(words) > 1 and words[0] in _SUBJECTS:
        found = (EVENT,)
    elif words and words[0] in _VAGUE:
        found = (EVENT,) if _FINITE & {*words} else (STATE, EVENT)
    elif len(words) > 1 and words[0] in _FINITE:
        found = (ACTION,)
    elif len(words) == 1 and _STATES.search(words[0]) and words[0] not in _VERBS:
        found = (STATE,)
    return frozenset(found)
