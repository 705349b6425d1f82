"""SendGrid's forms to mails: `email` where the whole message is sent (`Send Raw`), else the fields put together again.

Rule: each field is in a charset of its own, which `charsets` tells; what it does not tell is UTF-8.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from adapters._mail.charset import decoded
from adapters._mail.formdata import Field, Fields, by_name, read_form
from adapters._mail.rebuild import Piece, rebuilt
from adapters._mail.webhook import Posted
from adapters.base import Malformed, RawInbound

MAIL = ("email", "headers", "from", "text", "html")
"""A form with none of these is no mail."""
OWN = (("From", "from"), ("To", "to"), ("Cc", "cc"), ("Subject", "subject"))
DECODED = ("subject",)
"""Fields of the form that are better than the mail's own, because `charsets` tells of them. Addresses are not: with its
encoding gone, a name may look like another address."""

_DKIM = re.compile(r"@?([a-z0-9.-]{1,253})\s*:\s*pass\b", re.IGNORECASE)
_HEADER = re.compile(r"^([\x21-\x39\x3b-\x7e]{1,100}):[ \t]?(.*(?:\r?\n[ \t].*)*)", re.MULTILINE)


class Envelope_(Struct, frozen=True, rename={"from_": "from"}):
    to: tuple[str, ...] = ()
    from_: str | None = None


def is_event(raw: RawInbound) -> bool:
    """What became of things that were sent, rather than a mail."""
    return raw.headers.get("content-type", "").partition(";")[0].strip().lower() == "application/json"


def posted_of(raw: RawInbound) -> Posted:
    """Raises Malformed."""
    form = read_form(raw)
    fields = by_name(form)
    if not any(name in fields for name in MAIL):
        raise Malformed("no mail in it")
    whole, envelope = fields.get("email"), _envelope(fields)
    return Posted(
        data=whole.data if whole else _rebuilt(fields, form),
        mail_from=envelope.from_,
        recipients=envelope.to,
        signed_by=tuple(_DKIM.findall(fields["dkim"].text[:4_096])) if "dkim" in fields else (),
    )


def _envelope(fields: Fields) -> Envelope_:
    try:
        return msgspec.json.decode(fields["envelope"].data, type=Envelope_)
    except (KeyError, ValueError, RecursionError):
        return Envelope_()


def _rebuilt(fields: Fields, form: Sequence[Field]) -> bytes:
    try:
        charsets = msgspec.json.decode(fields["charsets"].data, type=dict[str, str])
    except (KeyError, ValueError, RecursionError):
        charsets = {}
    texts = {name: decoded(field.data, charsets.get(name, "utf-8")) for name, field in fields.items()
             if not field.filename and not name.startswith("attachment")}  # fmt: skip
    headers = list(_headers(texts))
    return rebuilt(headers, texts.get("text"), texts.get("html"), list(_files(fields, form)))


def _headers(texts: dict[str, str]) -> Iterator[tuple[str, str]]:
    """All fields as they stood in the mail, and what only the form has."""
    better = {name for name in DECODED if texts.get(name)}
    given = [pair for pair in _HEADER.findall(texts.get("headers", "")) if pair[0].lower() not in better]
    yield from given
    present = {name.lower() for name, _ in given}
    for name, key in OWN:
        if texts.get(key) and name.lower() not in present:
            yield name, texts[key]


def _files(fields: Fields, form: Sequence[Field]) -> Iterator[Piece]:
    try:
        told = msgspec.json.decode(fields["attachment-info"].data, type=dict[str, dict[str, Any]])
    except (KeyError, ValueError, RecursionError):
        told = {}
    for field in form:
        if re.fullmatch(r"attachment\d{1,4}", field.name, re.ASCII):
            yield _file(field, told.get(field.name, {}))


def _file(field: Field, told: dict[str, Any]) -> Piece:
    said = {key: value for key, value in told.items() if isinstance(value, str) and value}
    return Piece(
        data=field.data,
        mime=said.get("type") or field.mime,
        filename=said.get("filename") or field.filename,
        content_id=said.get("content-id"),
    )
