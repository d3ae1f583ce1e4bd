"""JSON as its standard has it, in and out: no NaN, no Infinity, and no number that a reader would have to bend.

Python's own `json` takes and writes `NaN` and `Infinity`, makes infinity of 1e999, and reads integers that no database
can store. Every file that is read and every JSON that is written goes through here, or through orjson, which writes
null for such numbers as this does.
"""

import json
import math
from collections.abc import Callable
from typing import Any

_LARGEST = 2**63 - 1


def read(text: str | bytes) -> Any:
    """Return the value that a text is.

    Raises:
        ValueError: the text is no JSON, or has a number that is not finite or an integer of more than 64 bits.

    >>> read('{"weight": 1e999}')
    Traceback (most recent call last):
    ValueError: the number 1e999 is too large
    """
    try:
        return json.loads(text, parse_constant=_refuse, parse_float=_number, parse_int=_integer)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def write(
    value: Any, *, indent: int | None = None, sort_keys: bool = False, default: Callable[[Any], Any] | None = None
) -> str:
    """Return a value as JSON on one line, or on more with `indent`; a number that is not finite becomes null.

    >>> write({"score": float("nan"), "text": "é"})
    '{"score": null, "text": "é"}'
    """

    def dumped(content: Any) -> str:
        return json.dumps(
            content, ensure_ascii=False, allow_nan=False, indent=indent, sort_keys=sort_keys, default=default
        )

    try:
        return dumped(value)
    except ValueError:
        plain = json.loads(json.dumps(value, default=default))  # what `default` makes may have such numbers, too
        return dumped(_finite(plain))


def _finite(value: Any) -> Any:
    match value:
        case float():
            return value if math.isfinite(value) else None
        case dict():
            return {name: _finite(inner) for name, inner in value.items()}
        case list():
            return [_finite(inner) for inner in value]
    return value


def _refuse(name: str) -> float:
    raise ValueError(f"{name} is not a number that JSON has")


def _number(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"the number {text[:40]} is too large")
    return number


def _integer(text: str) -> int:
    if len(text) > 20 or not -_LARGEST - 1 <= (number := int(text)) <= _LARGEST:  # noqa: PLR2004 - digits of 64 bits
        raise ValueError(f"the integer {text[:40]} has more than 64 bits")
    return number
