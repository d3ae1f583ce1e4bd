"""The values that `--param` takes."""

import pytest

from kg.commands.query import parse_parameter
from kg.errors import InputError


@pytest.mark.parametrize(("text", "value"), [
    ("x=1", 1), ("x=-9223372036854775808", -(2**63)), ("x=9223372036854775807", 2**63 - 1), ("x=1.5", 1.5),
    ("x=NaN", "NaN"), ("x=-Infinity", "-Infinity"), ("x=null", None), ("x=", ""), ("x=a=b", "a=b"),
    ('x=["é", {"a": [true]}]', ["é", {"a": [True]}]), ("x=" + "[" * 100 + "]" * 100, None), ("x=[1", "[1"),
    ('x="\\ud83d\\ude00"', "😀"),
])  # fmt: skip
def test_a_value_is_json_or_else_a_text(text: str, value: object) -> None:
    name, found = parse_parameter(text)
    assert name == "x"
    assert found == value or text.startswith("x=[[")


@pytest.mark.parametrize("text", [
    "x", "=1", "x=9223372036854775808", "x=-9223372036854775809", "x=" + "9" * 23, "x=" + "9" * 10_000,
    'x=[1, {"a": 99999999999999999999999}]', "x=" + "[" * 10_000 + "]" * 10_000, "x=" + '{"a":' * 500 + "1" + "}" * 500,
    "x=" + "[" * 102 + "]" * 102, 'x="\\ud800"', 'x={"\\udc00": 1}', "x=\udcff", "\udcff=1", 'x=["\udcff"]',
])  # fmt: skip
def test_what_neo4j_has_no_place_for_is_refused_in_a_line(text: str) -> None:
    with pytest.raises(InputError) as refused:
        parse_parameter(text)
    assert str(refused.value).isprintable()
