"""ConceptNet's normal form of a text, by which terms of the service and of word vectors are compared."""

import unicodedata

import regex

_WORD = regex.compile(r"[\p{L}\p{N}\p{M}\u200c\u200d]+(?:['\u2019.][\p{L}\p{N}\p{M}\u200c\u200d]+)*")
_ARTICLES = ("a", "an", "the")


def standard_text(text: str, lang: str) -> str:
    """Return a text in ConceptNet's normal form: words in lower case; in English without articles and a first "to".

    Words are letters and digits with their vowel signs and accents, in any script; hyphens part them.

    >>> standard_text("This is a Test", "en"), standard_text("to Eat  the cake", "en"), standard_text("Le Chat", "fr")
    ('this is test', 'eat cake', 'le chat')
    >>> standard_text("हिन्दी", "hi"), standard_text("ice-cream", "en"), standard_text("don't", "en")
    ('हिन्दी', 'ice cream', "don't")
    """
    words = _WORD.findall(unicodedata.normalize("NFKC", text).casefold())
    if lang == "en":
        kept = [word for word in words if word not in _ARTICLES]
        kept = kept[1:] if kept[:1] == ["to"] else kept
        words = kept or words
    return " ".join(words)
