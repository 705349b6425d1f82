"""The wire form: it reads back, it is clean, old versions are lifted and future ones refused."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from normalizer import codec
from normalizer.envelope import Body, Envelope, Message, Part, Template, TemplateComponent, TemplateParameter, Text
from normalizer.ids import EndpointId, EnvelopeId

AT = datetime(2026, 1, 1, tzinfo=UTC)
TIMES = st.integers(0, 4_000_000_000).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))
ANY_TEXT = st.text(st.characters(codec=None, exclude_categories=()), max_size=20)
"""NUL and lone surrogates included."""
CLEAN_TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=20)
RAW = st.sampled_from([TemplateParameter("text").value, msgspec.Raw(b'{"code":"EUR"}')])
some = settings(max_examples=40, deadline=None)


def envelopes(text: st.SearchStrategy[str]) -> st.SearchStrategy[Envelope]:
    st.register_type_strategy(str, text)
    st.register_type_strategy(datetime, TIMES)
    st.register_type_strategy(float, st.floats(-180, 180))
    st.register_type_strategy(msgspec.Raw, RAW)
    return st.one_of(*(_of(body) for body in get_args(Body)))


def _of(body: type[Any]) -> st.SearchStrategy[Envelope]:
    return st.builds(_envelope, st.from_type(body))


def _envelope(body: Any) -> Envelope:
    return Envelope(id=EnvelopeId("e"), direction="in", channel_type="x", endpoint_id=EndpointId("x"), occurred_at=AT,
                    body=body)  # fmt: skip


def said(text: str) -> Envelope:
    return _envelope(Message(parts=(Text(text),)))


def fields(**more: Any) -> bytes:
    """An envelope as somebody else would write it: with spaces, in another order."""
    plain = {
        "body": {"kind": "message", "parts": [{"type": "text", "text": "hi"}]},
        "occurred_at": "2026-01-01T00:00:00Z",
    }
    return json.dumps({**plain, "id": "e", "direction": "in", "channel_type": "x", "endpoint_id": "x", **more}).encode()


# --- round trip -------------------------------------------------------------------------------------------------------


@some
@given(envelopes(CLEAN_TEXT))
def test_every_body_reads_back(envelope: Envelope) -> None:
    assert codec.decode(codec.encode(envelope)) == envelope
    assert codec.seal(envelope) == (envelope, codec.encode(envelope))


@some
@given(envelopes(CLEAN_TEXT))
def test_written_by_another_program_it_reads_the_same(envelope: Envelope) -> None:
    theirs = json.dumps(json.loads(codec.encode(envelope)), indent=1).encode()
    assert codec.encode(codec.decode(theirs)) == codec.encode(envelope)


@some
@given(envelopes(CLEAN_TEXT))
def test_it_fits_its_own_schema(envelope: Envelope) -> None:
    SCHEMA.validate(json.loads(codec.encode(envelope)))


SCHEMA = Draft202012Validator(codec.json_schema())


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(codec.json_schema())


def test_raw_stays_outside() -> None:
    raw = msgspec.structs.replace(said("hi"), raw=msgspec.Raw(b'{"a":1}'))
    assert b"raw" not in codec.encode(raw)
    sealed, data = codec.seal(raw)
    assert (sealed.raw, b"raw" in data) == (raw.raw, False)


# --- clean ------------------------------------------------------------------------------------------------------------


@some
@given(envelopes(ANY_TEXT))
def test_what_leaves_is_clean_whatever_came(envelope: Envelope) -> None:
    sealed, data = codec.seal(envelope)
    assert codec.decode(data) == sealed
    assert _is_clean(json.loads(data))
    assert codec.seal(sealed) == (sealed, data)


def _is_clean(value: Any) -> bool:
    match value:
        case str():
            return "\x00" not in value and not any("\ud800" <= one <= "\udfff" for one in value)
        case dict():
            return all(_is_clean(key) and _is_clean(item) for key, item in value.items())
        case list():
            return all(map(_is_clean, value))
        case _:
            return True


@pytest.mark.parametrize(
    ("dirty", "clean"),
    [
        ("a\x00b", "ab"),
        ("\ud83d\ude00", "\U0001f600"),
        ("a\ud83d", "a�"),
        ("\udc00b", "�b"),
        ("a\\u0000b", "a\\u0000b"),
        ("é\x00", "é"),
        ("", ""),
    ],
)
def test_text_is_cleaned(dirty: str, clean: str) -> None:
    assert codec.clean_text(dirty) == clean
    sealed, data = codec.seal(said(dirty))
    assert sealed == said(clean)
    assert codec.decode(data) == said(clean)


def test_keys_are_cleaned_too() -> None:
    assert codec.clean({"a\x00": ["\x00", ("\ud800",), 1, None]}) == {"a": ["", ["�"], 1, None]}


# --- versions ---------------------------------------------------------------------------------------------------------


def test_the_version_stands_first() -> None:
    assert codec.encode(said("hi")).startswith(b'{"v":1,')


def test_without_a_version_it_is_the_present_one() -> None:
    assert codec.decode(fields()) == said("hi")


@pytest.mark.parametrize("version", [2, 99, 0, -1, "1", None, [], {}, 1.5])
def test_what_we_do_not_know_is_refused(version: Any) -> None:
    with pytest.raises(ValueError, match="version"):
        codec.decode(fields(v=version))


def test_older_ones_are_lifted_step_by_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codec, "VERSION", 3)
    monkeypatch.setattr(codec, "_PREFIX", b'{"v":3,')
    monkeypatch.setattr(codec, "UPGRADES", {1: _first_to_second, 2: _second_to_third})
    old = json.loads(fields(v=1))
    old["kind_of_channel"] = old.pop("channel_type")
    assert codec.decode(json.dumps(old).encode()) == said("hi!")


def _first_to_second(fields: dict[str, Any]) -> dict[str, Any]:
    return {("channel_type" if name == "kind_of_channel" else name): value for name, value in fields.items()}


def _second_to_third(fields: dict[str, Any]) -> dict[str, Any]:
    fields["body"]["parts"][0]["text"] += "!"
    return fields


# --- what is none -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        b"", b"{", b"[]", b"null", b"1", b'"x"', b"{}", b'{"v":1}', b'{"v":1,', b"\xff", b'{"v": 1, "id": "\xff"}',
        fields(occurred_at="2026-01-01T00:00:00"), fields(body={"kind": "sonnet"}), fields(direction="up"),
    ],
    ids=repr,
)  # fmt: skip
def test_what_is_no_envelope_is_a_value_error(data: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  because texts of msgspec and json are theirs
        codec.decode(data)


@pytest.mark.parametrize("head", [b'{"v":1,"x":', b'{"v": 1, "x":', b'{"v": 1, "body": {"kind": "message", "parts": '])
def test_deep_nesting_is_a_value_error(head: bytes) -> None:
    with pytest.raises(ValueError, match="deep"):
        codec.decode(head + b"[" * 100_000 + b"]" * 100_000 + b"}")


# --- what providers write ---------------------------------------------------------------------------------------------


class Small(msgspec.Struct):
    text: str = ""
    part: msgspec.Raw = msgspec.Raw()


def test_lone_surrogates_of_providers_are_mended() -> None:
    assert codec.loads(rb'{"text":"a\ud83d"}', Small).text == "a�"
    assert codec.loads(b'{"text":"a\xff"}', Small).text == "a�"


@pytest.mark.parametrize(
    "data", [b"", b"{", b'{"text":1}', b"[" * 100_000, b'{"text":NaN}', b'{"part":' + b"[" * 90_000]
)
def test_everything_else_is_a_decode_error(data: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        codec.loads(data, Small)


# --- parts with JSON of their own -------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [b'{"code":"EUR"}', b'{"a":"\\u0000"}', b"[1,2]"])
def test_a_parameter_keeps_its_own_json(value: bytes) -> None:
    parameter = TemplateParameter("currency", value=msgspec.Raw(value))
    part: Part = Template("t", "en", (TemplateComponent("body", (parameter,)),))
    _, data = codec.seal(_envelope(Message(parts=(part,))))
    read = json.loads(data)["body"]["parts"][0]["components"][0]["parameters"][0]["value"]
    assert read == codec.clean(json.loads(value))
