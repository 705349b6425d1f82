"""multipart/form-data (RFC 7578) as providers of inbound mail post it: fields as bytes, each in a charset of its own.

Rule: every byte of a field stays as it came; nothing is decoded here but names.
Rule: raises nothing but Malformed, and looks at each byte a bounded number of times.
"""

import re
from collections.abc import Mapping
from email.message import Message
from urllib.parse import parse_qsl

from msgspec import Struct

from adapters.base import Malformed, RawInbound

MAX_FIELDS = 500
MAX_HEAD_BYTES = 8_192

_NAME = re.compile(rb'(?:^|[;\s])name="((?:[^"\\]|\\.)*)"', re.IGNORECASE)
_FILENAME = re.compile(rb'(?:^|[;\s])filename="((?:[^"\\]|\\.)*)"', re.IGNORECASE)
_TYPE = re.compile(rb"^content-type:[ \t]*([^\r\n]*)", re.IGNORECASE | re.MULTILINE)
_DISPOSITION = re.compile(rb"^content-disposition:[ \t]*form-data([^\r\n]*)", re.IGNORECASE | re.MULTILINE)
_ESCAPED = re.compile(r"\\([\"\\])")


class Field(Struct, frozen=True):
    name: str
    data: bytes
    filename: str | None = None
    mime: str | None = None

    @property
    def text(self) -> str:
        return self.data.decode("utf-8", "replace")


Fields = Mapping[str, Field]
"""By name; the first of several."""


def read_form(raw: RawInbound) -> tuple[Field, ...]:
    """The fields in their order, of either kind of form. Raises Malformed."""
    type_ = raw.headers.get("content-type", "")
    match type_.partition(";")[0].strip().lower():
        case "multipart/form-data":
            return _multipart(raw.body, _boundary(type_))
        case "application/x-www-form-urlencoded":
            return _urlencoded(raw.body)
        case _:
            raise Malformed("not a form")


def by_name(fields: tuple[Field, ...]) -> Fields:
    return {field.name: field for field in reversed(fields)}


def _urlencoded(body: bytes) -> tuple[Field, ...]:
    """Each byte as a letter of Latin-1, so that it comes back as it was."""
    try:
        pairs = parse_qsl(body.decode("latin-1"), keep_blank_values=True, encoding="latin-1", max_num_fields=MAX_FIELDS)
    except ValueError:
        raise Malformed("too many fields") from None
    return tuple(Field(_name(name), value.encode("latin-1")) for name, value in pairs)


def _name(letters: str) -> str:
    return letters.encode("latin-1").decode("utf-8", "replace")


def _boundary(type_: str) -> bytes:
    header = Message()
    header["content-type"] = re.sub(r"[\x00-\x1f\x7f]", " ", type_[:1000])
    try:
        boundary = header.get_boundary("")
        data = boundary.encode("latin-1")
    except (ValueError, LookupError, TypeError, AttributeError):
        raise Malformed("multipart without a boundary") from None
    if not 0 < len(data) <= 200:
        raise Malformed("multipart without a boundary")
    return data


def _multipart(body: bytes, boundary: bytes) -> tuple[Field, ...]:
    delimiter = b"\r\n--" + boundary
    fields: list[Field] = []
    for part in (b"\r\n" + body).split(delimiter, MAX_FIELDS + 2)[1:]:
        if part.startswith(b"--"):
            return tuple(fields)
        if len(fields) == MAX_FIELDS:
            raise Malformed("too many fields")
        fields.append(_field(part))
    raise Malformed("multipart that does not end")


def _field(part: bytes) -> Field:
    """Behind the delimiter stand blanks and a line end, then the header."""
    end = part.find(b"\r\n\r\n", 0, MAX_HEAD_BYTES)
    if end < 0:
        raise Malformed("a field without a header")
    head = part[:end]
    disposition = _DISPOSITION.search(head)
    name = _NAME.search(disposition[1]) if disposition else None
    if disposition is None or name is None:
        raise Malformed("a field without a name")
    filename, type_ = _FILENAME.search(disposition[1]), _TYPE.search(head)
    return Field(
        _plain(name[1]),
        part[end + 4 :],
        None if filename is None else _plain(filename[1]),
        None if type_ is None else type_[1].decode("utf-8", "replace").strip(),
    )


def _plain(quoted: bytes) -> str:
    """HTML escapes three characters, programs a few more."""
    text = _ESCAPED.sub(r"\1", quoted.decode("utf-8", "replace"))
    return text.replace("%22", '"').replace("%0D", " ").replace("%0A", " ")
