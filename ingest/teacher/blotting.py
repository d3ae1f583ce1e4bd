"""Blotting: keys are taken out of whatever is printed or kept, and addresses that carry a secret are refused.

A provider may say a key back to us, in an error or in a reply; `blot` is applied where its words come in
(`ingest.teacher.openai`), so that messages, failures and kept replies are free of keys.
"""

import os
import re
from functools import cache
from urllib.parse import SplitResult, parse_qsl, quote, urlsplit

from kg.errors import TeacherError

_KEYS = ("OPENAI_API_KEY", "OPENAI_ADMIN_KEY", "AZURE_OPENAI_API_KEY", "AZURE_OPENAI_AD_TOKEN")
_INSTEAD = "[key]"
_SHORTEST = 4  # anything shorter is no key, and would take words out of texts
_CERTAIN = 8  # from this length on also inside of words
_SECRET_NAME = re.compile(
    r"key|token|secret|passw|pwd|credential|signature|jwt|bearer|auth|session|cookie|^(sig|pass|code|sas|cred|user)$"
    r"|[-_.](sig|pass|code|sas|cred)$|^sk-",
    re.IGNORECASE,
)
_SECRET_VALUE = re.compile(r"^(sk-|Bearer\b|eyJ[\w-]+\.)", re.IGNORECASE)


def blot(text: str, *secrets: str) -> str:
    """Return a text without the given secrets, and without the keys that the environment has.

    >>> blot("Incorrect API key provided: tok-12345678.", "tok-12345678")
    'Incorrect API key provided: [key].'
    """
    known = {secret.strip() for secret in (*secrets, *(os.environ.get(name, "") for name in _KEYS))}
    for secret in sorted({*known, *(quote(secret, safe="") for secret in known)}, key=len, reverse=True):
        if len(secret) >= _CERTAIN:
            text = _spelt(secret).sub(_INSTEAD, text)
        elif len(secret) >= _SHORTEST:
            text = re.sub(rf"(?<!\w){re.escape(secret)}(?!\w)", _INSTEAD, text)
    return text


@cache
def _spelt(secret: str) -> re.Pattern[str]:
    """Return what finds a secret, also with JSON's escapes in it, and escapes of escapes."""
    return re.compile("".join(rf"\\*(?:{re.escape(one)}|(?i:u{ord(one):04x}))" for one in secret))


def one_line(text: object, most: int = 300) -> str:
    """Return a text as one line that a terminal can show, cut to its first characters."""
    line = " ".join(str(text)[: 4 * most].split())
    shown = (one if one.isprintable() else one.encode("unicode_escape").decode() for one in line)
    return "".join(shown)[:most]


def split_address(address: str) -> SplitResult:
    """Return the parts of a provider's address.

    Raises:
        TeacherError: it is no address, or has a secret in it, which is not repeated.
    """
    try:
        parts = urlsplit(address.strip())
        names = parse_qsl(parts.query.replace(";", "&"), keep_blank_values=True)
        names += parse_qsl(parts.fragment, keep_blank_values=True)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise TeacherError("the address cannot be read; one like http://127.0.0.1:8000/v1 is expected") from None
    if "@" in parts.netloc or (not host and "@" in address):
        raise TeacherError("the address has a user or a password before its host; set OPENAI_API_KEY instead")
    key = os.environ.get("OPENAI_API_KEY", "").strip()
    for name, value in names:
        if _SECRET_NAME.search(name) or _SECRET_VALUE.search(value) or (key and key in (name, value)):
            hidden = name.startswith("sk-") or (key and key in name)
            shown = "a parameter" if hidden else f"parameter {one_line(name, 40)!r}"
            raise TeacherError(f"the address has a secret in its query ({shown}); set OPENAI_API_KEY instead")
    if len(key) >= _CERTAIN and key in address:
        raise TeacherError("the address has the key in it; OPENAI_API_KEY is enough")
    if parts.scheme not in ("http", "https") or not host:
        shown = one_line(f"{parts.scheme}{':' if parts.scheme else ''}{parts.netloc}{parts.path}", 200)
        raise TeacherError(f"{shown!r} is not an address like http://127.0.0.1:8000/v1; see --base-url")
    return parts
