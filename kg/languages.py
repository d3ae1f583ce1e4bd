"""What languages and scripts ask for: words without blanks between them, names for persons, marks of their own.

What a text needs is told by its letters wherever that is enough, so that mixed texts are right, too; only the names of
persons, and which encoder knows a language, go by its BCP 47 tag. A language that has no row here is treated as one
whose words are parted by blanks and whose persons are PersonX, PersonY and PersonZ.
"""

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

_EAST_ASIAN = (
    "\u3005-\u3007\u3031-\u3035\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f"
    "\U00020000-\U0003ffff"
)
"""Kana and Chinese characters."""

_UNSPACED = rf"\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff{_EAST_ASIAN}"
"""Letters of scripts that put no blank between words: Thai, Lao, Burmese, Khmer, and those."""

_FULL_WIDTH_MARKS = "\u3001\u3002\u3008-\u3011\u3014-\u301f\uff01-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff65"
_LETTER = rf"[^\W{_UNSPACED}]"  # of a script with blanks between its words, or a digit
_UNSPACED_LETTER = re.compile(rf"[{_UNSPACED}]")
_CLOSE = re.compile(rf"[{_UNSPACED}{_FULL_WIDTH_MARKS}]")  # what no blank stands beside
_WORD = re.compile(rf"[{_UNSPACED}]|[^\s{_UNSPACED}{_FULL_WIDTH_MARKS}]+|[{_FULL_WIDTH_MARKS}]")
_BLANKS = re.compile(rf"(?<=[{_EAST_ASIAN}{_FULL_WIDTH_MARKS}])\s+(?=[{_EAST_ASIAN}{_FULL_WIDTH_MARKS}])")
_WIDTHS = re.compile("[\uff10-\uff19\uff21-\uff3a\uff41-\uff5a]+|[\uff66-\uff9f]+")
"""Full-width digits and Latin letters, and half-width kana: the same characters in another width."""


@dataclass(frozen=True, slots=True)
class Language:
    """What is known of a language.

    Attributes:
        persons: what stands for the first, second and third person of an event.
        names: names to put in their place, none of which is part of another word; the first three are the usual ones.
        honorific: what those names end with, and texts may leave out; a person in an event may have it, too.
    """

    persons: tuple[str, str, str] = ("PersonX", "PersonY", "PersonZ")
    names: tuple[str, ...] = ("Alex", "Chris", "Sam")
    honorific: str = ""


_JAPANESE_NAMES = (
    "佐藤", "鈴木", "高橋", "田中", "伊藤", "渡辺", "山本", "中村", "小林", "加藤",
    "吉田", "山田", "佐々木", "松本", "井上", "木村", "斎藤", "清水", "山崎", "阿部",
)  # fmt: skip
LANGUAGES = {
    "ja": Language(("X", "Y", "Z"), tuple(f"{name}さん" for name in _JAPANESE_NAMES), "さん"),
}
"""Language to what is known of it beyond the usual."""

_USUAL = Language()


def primary(lang: str) -> str:
    """Return the language of a BCP 47 tag without script and region.

    >>> primary("ja-JP"), primary("EN")
    ('ja', 'en')
    """
    return re.split("[-_]", lang, maxsplit=1)[0].lower()


def language(lang: str) -> Language:
    """Return what is known of the language of a BCP 47 tag."""
    return LANGUAGES.get(primary(lang), _USUAL)


def words(text: str) -> list[str]:
    """Return the words of a text as metrics count them: parted by blanks; where a script has none, single characters.

    >>> words("to buy パンや milk"), words("傘を持つ。")
    (['to', 'buy', 'パ', 'ン', 'や', 'milk'], ['傘', 'を', '持', 'つ', '。'])
    """
    return _WORD.findall(text)


def joined(*parts: str) -> str:
    """Return texts as one, with a blank between two of them unless their scripts want none.

    >>> joined("PersonX naps", "so PersonX feels", "calm"), joined("Xが寝る", "。その結果、Xは", "すっきりする")
    ('PersonX naps so PersonX feels calm', 'Xが寝る。その結果、Xはすっきりする')
    """
    texts = [part for part in parts if part]
    between = ["" if _CLOSE.match(left[-1]) or _CLOSE.match(right[0]) else " " for left, right in pairwise(texts)]
    return "".join(blank + text for blank, text in zip(["", *between], texts, strict=True))


def begun(event: str, phrase: str) -> str:
    """Return the beginning of a sentence: an event and the words behind it, with the comma that a Latin script wants.

    >>> begun("PersonX naps", "and wants"), begun("Xが寝る", "。その後、Xは")
    ('PersonX naps, and wants', 'Xが寝る。その後、Xは')
    """
    return f"{event}{phrase}" if _CLOSE.match(phrase[:1]) else f"{event}, {phrase}"


def behind(text: str) -> str:
    """Return a text as it stands behind others: with a blank before it, unless its script wants none.

    >>> behind("to rest"), behind("寝る")
    (' to rest', '寝る')
    """
    return text if _CLOSE.match(text[:1]) else f" {text}"


def has_unspaced(text: str) -> bool:
    """Whether a text has letters of a script that puts no blank between words."""
    return bool(_UNSPACED_LETTER.search(text))


def one_width(text: str) -> str:
    """Return a text whose Latin letters and digits are narrow, whose kana are wide, without blanks inside Japanese.

    >>> one_width("Ｘが１０円の ﾊﾟﾝ を買う")
    'Xが10円のパンを買う'
    """
    narrow = _WIDTHS.sub(lambda found: unicodedata.normalize("NFKC", found[0]), text)
    return _BLANKS.sub("", narrow)


def whole_word(word: str) -> str:
    """Return a pattern that finds a word where it is no part of another one; scripts without blanks part words, too.

    >>> [bool(re.search(whole_word("X"), text)) for text in ("Xが寝る", "友達とX", "XさんとY", "Xavier naps", "MAX")]
    [True, True, True, False, False]
    """
    before = "" if _UNSPACED_LETTER.match(word[:1]) else rf"(?<!{_LETTER})"
    after = "" if _UNSPACED_LETTER.match(word[-1:]) else rf"(?!{_LETTER})"
    return f"{before}{re.escape(word)}{after}"


def named(text: str, lang: str = "en") -> str:
    """Return a text with the usual names for its persons, which are likelier words than "PersonX".

    >>> named("PersonX gives PersonY PersonXY's hat"), named("XさんはYと会う", "ja")
    ("Alex gives Chris PersonXY's hat", '佐藤さんは鈴木さんと会う')
    """
    known = language(lang)
    names = dict(zip(known.persons, known.names, strict=False))
    return persons(known).sub(lambda found: names[found[1]], text)


@lru_cache
def persons(known: Language) -> re.Pattern[str]:
    """Return a pattern that finds the persons of a language in a text, its group 1 without an honorific."""
    return re.compile(f"({'|'.join(map(whole_word, known.persons))})(?:{re.escape(known.honorific)})?")
