"""ConceptNet's normal form of a text, by which terms of the service and of word vectors are compared."""

import re
import unicodedata

_WORD = re.compile(r"[^\W_]+(?:['\u2019.-][^\W_]+)*")
_ARTICLES = ("a", "an", "the")


def standard_text(text: str, lang: str) -> str:
    """Return a text in ConceptNet's normal form: words in lower case; in English without articles and a first "to".

    >>> standard_text("This is a Test", "en"), standard_text("to Eat  the cake", "en"), standard_text("Le Chat", "fr")
    ('this is test', 'eat cake', 'le chat')
    """
    words = _WORD.findall(unicodedata.normalize("NFKC", text).casefold())
    if lang == "en":
        kept = [word for word in words if word not in _ARTICLES]
        kept = kept[1:] if kept[:1] == ["to"] else kept
        words = kept or words
    return " ".join(words)
