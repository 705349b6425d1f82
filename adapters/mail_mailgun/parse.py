"""Mailgun's forms to mails: `body-mime` where the route's URL ends in `/mime`, else the fields put together again."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

import msgspec

from adapters._mail.formdata import Field, Fields, by_name, read_form
from adapters._mail.rebuild import Piece, rebuilt
from adapters._mail.webhook import Posted
from adapters.base import Malformed, RawInbound
from normalizer.envelope import Envelope

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MAIL = ("body-mime", "message-headers", "body-plain", "body-html", "from", "From", "Message-Id")
"""A form with none of these is no mail."""
HEADERS = (("From", "from"), ("To", "To"), ("Subject", "subject"), ("Date", "Date"), ("Message-Id", "Message-Id"),
           ("In-Reply-To", "In-Reply-To"), ("References", "References"))  # fmt: skip
"""Where there is no list of all of them."""
NAME = "mailgun/"


def is_event(raw: RawInbound) -> bool:
    """What became of something that was sent, rather than a mail."""
    return raw.headers.get("content-type", "").partition(";")[0].strip().lower() == "application/json"


def posted_of(raw: RawInbound) -> Posted:
    """Raises Malformed."""
    form = read_form(raw)
    fields = by_name(form)
    if not any(name in fields for name in MAIL):
        raise Malformed("no mail in it")
    mime = fields.get("body-mime")
    return Posted(
        data=mime.data if mime else _rebuilt(fields, form),
        mail_from=_text(fields, "sender"),
        recipients=tuple(filter(None, map(str.strip, (_text(fields, "recipient") or "").split(",")))),
        arrival=f"{NAME}{token}" if (token := _text(fields, "token")) else None,
        arrived_at=_when(_text(fields, "timestamp")),
    )


def with_token(envelopes: Sequence[Envelope], posted: Posted) -> Sequence[Envelope]:
    """Nothing else comes under a token that was used."""
    if posted.arrival is None:
        return envelopes
    return [
        msgspec.structs.replace(one, dedupe_keys=(*one.dedupe_keys, f"{posted.arrival}/{place}"))
        if one.dedupe_keys
        else one
        for place, one in enumerate(envelopes)
    ]


def _text(fields: Fields, name: str) -> str | None:
    return fields[name].text if name in fields else None


def _when(seconds: str | None) -> datetime | None:
    if seconds is None or not (seconds.isascii() and seconds.isdecimal()) or len(seconds) > 11:
        return None
    return EPOCH + timedelta(seconds=int(seconds))


def _rebuilt(fields: Fields, form: Sequence[Field]) -> bytes:
    headers = list(_headers(fields))
    return rebuilt(headers, _text(fields, "body-plain"), _text(fields, "body-html"), list(_files(fields, form)))


def _headers(fields: Fields) -> Iterator[tuple[str, str]]:
    try:
        given = fields["message-headers"].data if "message-headers" in fields else b"[]"
        listed = msgspec.json.decode(given, type=list[tuple[str, str]])
    except (ValueError, RecursionError):
        listed = []
    if listed:
        yield from listed
        return
    for name, key in HEADERS:
        if (value := _text(fields, key) or _text(fields, name)) is not None:
            yield name, value


def _files(fields: Fields, form: Sequence[Field]) -> Iterator[Piece]:
    try:
        ids = msgspec.json.decode(fields["content-id-map"].data, type=dict[str, str])
    except (KeyError, ValueError, RecursionError):
        ids = {}
    names = {field: cid for cid, field in ids.items()}
    for field in form:
        if field.name.startswith("attachment-") and field.name != "attachment-count":
            yield Piece(data=field.data, mime=field.mime, filename=field.filename, content_id=names.get(field.name))
