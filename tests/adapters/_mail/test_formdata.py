"""adapters/_mail/formdata.py: forms as they are posted, and everything that is none."""

from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters._mail.formdata import MAX_FIELDS, Field, by_name, read_form
from adapters.base import Malformed, RawInbound
from normalizer.ids import EndpointId
from tests.adapters._mail.hooks import multipart
from tests.kit.pace import is_quick

FORM = "multipart/form-data; boundary=xYzZY"


def raw(body: bytes, type_: str = FORM) -> RawInbound:
    return RawInbound(
        id="r", endpoint_id=EndpointId("e"), origin="webhook", received_at=datetime(2026, 1, 1, tzinfo=UTC),
        headers={"content-type": type_}, body=body,
    )  # fmt: skip


def test_fields_and_files_byte_for_byte() -> None:
    data = bytes(range(256)) + b"\r\n--xYzZ\r\n\r\n"
    body, headers = multipart(("a", "Grüße"), ("b", ""), ("f", data, "ü.bin", "image/png"), ("a", "twice"))
    fields = read_form(raw(body, headers["content-type"]))
    assert fields == (
        Field("a", "Grüße".encode()),
        Field("b", b""),
        Field("f", data, "ü.bin", "image/png"),
        Field("a", b"twice"),
    )
    assert by_name(fields)["a"].text == "Grüße"


@pytest.mark.parametrize(
    "type_",
    ['multipart/form-data; boundary="xYzZY"', "Multipart/Form-Data;boundary=xYzZY; charset=utf-8", FORM],
)
def test_ways_to_name_the_boundary(type_: str) -> None:
    body, _ = multipart(("a", "1"))
    assert read_form(raw(body, type_)) == (Field("a", b"1"),)


@pytest.mark.parametrize(
    ("head", "field"),
    [
        ('form-data; name="a"; filename=""', Field("a", b"x", "")),
        ('form-data; filename="n"; name="a"', Field("a", b"x", "n")),
        (r'form-data; name="a\"b\\c"', Field('a"b\\c', b"x")),
        ('form-data; name="a%22b"', Field('a"b', b"x")),
        ('FORM-DATA; NAME="a"', Field("a", b"x")),
        ('form-data; filename="name=1"; name="a"', Field("a", b"x", "name=1")),
    ],
)
def test_names(head: str, field: Field) -> None:
    body = f"--xYzZY\r\ncontent-disposition: {head}\r\n\r\nx\r\n--xYzZY--".encode()
    assert read_form(raw(body)) == (field,)


def test_what_stands_before_and_behind_is_no_field() -> None:
    body, _ = multipart(("a", "1"))
    assert read_form(raw(b"preamble\r\n" + body + b"epilogue")) == (Field("a", b"1"),)


def test_an_urlencoded_form() -> None:
    form = raw(b"a=Gr%C3%BC%C3%9Fe+x&b=&a=2&c", "application/x-www-form-urlencoded")
    assert read_form(form) == (Field("a", "Grüße x".encode()), Field("b", b""), Field("a", b"2"), Field("c", b""))


@pytest.mark.parametrize(
    ("body", "type_"),
    [
        (b"", FORM),
        (b"--xYzZY--x", "multipart/form-data"),
        (b"--xYzZY--x", "multipart/form-data; boundary="),
        (b"x", "multipart/form-data; boundary=" + "b" * 201),
        (b"x", "multipart/form-data; boundary*=utf-8''%ff"),
        (b"x", "text/plain"),
        (b"x", ""),
        (b"--xYzZY\r\n\r\nx\r\n--xYzZY--", FORM),
        (b"--xYzZY\r\nContent-Disposition: form-data\r\n\r\nx\r\n--xYzZY--", FORM),
        (b'--xYzZY\r\nContent-Disposition: attachment; name="a"\r\n\r\nx\r\n--xYzZY--', FORM),
        (b'--xYzZY\r\nContent-Disposition: form-data; name="a"\r\n\r\nx', FORM),
        (b"--xYzZY\r\n" + b"x" * 10_000, FORM),
        (b"&".join([b"a=1"] * (MAX_FIELDS + 1)), "application/x-www-form-urlencoded"),
    ],
)
def test_what_is_no_form(body: bytes, type_: str) -> None:
    with pytest.raises(Malformed):
        read_form(raw(body, type_))


def test_so_many_fields_and_no_more() -> None:
    body, _ = multipart(*[("a", "1")] * MAX_FIELDS)
    assert len(read_form(raw(body))) == MAX_FIELDS
    body, _ = multipart(*[("a", "1")] * (MAX_FIELDS + 1))
    with pytest.raises(Malformed, match="too many"):
        read_form(raw(body))


@given(st.binary(max_size=300), st.text(max_size=60))
def test_anything(body: bytes, type_: str) -> None:
    for given_type in (type_, FORM, "multipart/form-data; boundary=" + type_):
        with suppress(Malformed):
            read_form(raw(body, given_type))


@pytest.mark.parametrize("body", [b"\r\n--xYzZY" * 1_000_000, b"--xYzZY\r\n" * 500_000, b"\r\n\r\n" * 2_000_000])
def test_nothing_takes_long(body: bytes) -> None:
    with pytest.raises(Malformed):
        read_form(raw(body))
    assert is_quick(lambda: read_form(raw(body)), 0.25)
