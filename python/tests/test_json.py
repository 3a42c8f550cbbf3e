"""Generated types as JSON: docs/json.md, whose blocks Rust's tests read, too."""

import json
import re
from typing import Any

import pytest
from conftest import ROOT
from generated.json import v1 as page
from hypothesis import given
from hypothesis import strategies as st
from strategies import of

import zsvc
import zsvc.json
from zsvc.codec.body import decode, encode
from zsvc.json import JsonError, dumps, form_of, from_json, loads, to_json

PAGE = (ROOT / "docs/json.md").read_text(encoding="utf-8")
TYPES: dict[str, Any] = {
    "trade": page.Trade, "types": page.Types, "any": page.Any, "large": page.Any, "short_float": page.Any,
    "rights": page.Rights, "market": page.Order, "cancel_all": page.Order, "unknown_variant": page.Order,
}  # fmt: skip


def blocks(language: str) -> list[tuple[str, str, str]]:
    found = re.findall(rf"^```{language},(\w+)=(\w+)\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    return [(kind, name, text) for kind, name, text in found]


@pytest.mark.parametrize(("kind", "name", "text"), blocks("json"))
def test_values_are_as_the_page_says(kind: str, name: str, text: str) -> None:
    value = loads(TYPES[name], text)
    form = form_of(TYPES[name])
    again = decode(form, encode(form, value), max_body=1 << 20)
    if kind == "reads":
        others = [other for it, same, other in blocks("json") if (it, same) == ("is", name)]
        assert dumps(loads(TYPES[name], dumps(value))) == dumps(value)
        if name != "trade":
            assert dumps(value, indent=2) == others[0].strip()
    else:
        assert dumps(again, TYPES[name], indent=2, safe_integers=kind == "safe") == text.strip()


@pytest.mark.parametrize(("kind", "name", "text"), blocks("jsonc"))
def test_what_is_wrong_is_told_with_its_place(kind: str, name: str, text: str) -> None:
    lines = text.strip().splitlines()
    for wrong, comment in zip(lines[::2], lines[1::2], strict=True):
        with pytest.raises(JsonError) as caught:
            loads(getattr(page, name), wrong, strict=kind == "strict")
        told = comment.removeprefix("// ")
        place = re.match(r'((?:\w+|\[(?:\d+|"[^"]*")\])(?:\.\w+|\[(?:\d+|"[^"]*")\])*): ', told)
        missing = re.search(r"field `(\w+)` is missing$", told)
        steps = [place[1]] if place else []
        steps += [missing[1]] if missing else []
        assert str(caught.value).startswith(".".join(steps)), (wrong, told, str(caught.value))


def test_more_wrong_texts() -> None:
    wrongs: list[tuple[Any, str, str]] = [
        (page.Trade, "{", "no JSON"),
        (page.Trade, '{"price": NaN}', "no JSON"),
        (page.Trade, "[" * 100_000, "no JSON|too deep"),
        (page.Order, "{}", "no name of a variant"),
        (page.Order, '{"#2": "x"}', "Market: expected `u32`"),
        (page.Order, '{"#99999999999999999999": 1}', "64 bits|number"),
        (page.Side, "1.5", "no Side"),
        (page.Side, "true", "no Side"),
        (page.Access, '["Read", "Read"]', "given twice"),
        (page.Any, '{"any": {"a": 1, "a": 2}}', "given twice"),
        (page.Types, '{"names": {"a": 1, "a": 2}}', "given twice"),
        (page.Types, '{"numbers": {"5": "x", "05": "y"}}', "shortest form"),
    ]
    for cls, wrong, says in wrongs:
        with pytest.raises(JsonError, match=says):
            loads(cls, wrong)
    with pytest.raises(TypeError, match="`int` is no type"):
        dumps(5)
    with pytest.raises(TypeError, match="no type of a"):
        from_json(list, [])


def test_enums_and_flags_have_the_names_of_the_schema() -> None:
    assert dumps(page.Side.BUY) == '"Buy"'
    assert dumps(page.Side(7)) == "7"
    assert loads(page.Side, '"Sell"') is page.Side.SELL
    assert to_json(page.Access.READ | page.Access(1 << 40)) == ["Read", 40]


@given(st.data())
def test_whatever_a_value_is_it_comes_back(data: st.DataObject) -> None:
    form = data.draw(st.sampled_from([page._form_Types, page._form_Trade, page._form_Any]))
    value = data.draw(of(form))
    sent = decode(form, encode(form, value), max_body=1 << 24)
    again = loads(type(sent), dumps(sent))
    assert encode(form, again).joined() == encode(form, sent).joined()
    assert json.loads(dumps(sent, safe_integers=True)) is not None
    assert isinstance(again, zsvc.Struct)
