"""What a visitor sent, as envelopes.

Rule: what is kept was checked before (`hear`, `verify`); `parse` reads it again without keys and without expiry, so
that the same raw gives the same envelopes when keys were rotated in between.
Rule: the external id of a visitor's message is `<session>:<cid>`: a cid is unique in its session only, and chosen by
a stranger.
Rule: clocks of clients count for nothing; the time of a frame is its arrival.
"""

import re
from collections.abc import Sequence
from urllib.parse import urlsplit

from msgspec import Raw

from adapters.base import Malformed, RawInbound
from adapters.webchat import identity
from adapters.webchat.session import Tokens, peek_attachment, peek_session
from adapters.webchat.wire import (
    ClientFrame,
    Msg,
    NackCode,
    PageSeen,
    Proof,
    Read,
    read_frame,
    read_posted,
    read_proof,
    read_session_request,
)
from normalizer.address import Address, Scheme
from normalizer.envelope import (
    AddressChange,
    AddressClaim,
    Audio,
    Body,
    ChoiceMade,
    Document,
    Envelope,
    Evidence,
    Image,
    MediaRef,
    Message,
    Part,
    Party,
    Receipt,
    Referral,
    ReplyTo,
    SessionEnded,
    Status,
    Text,
    Typing,
    Video,
    inbound_id,
)
from normalizer.ids import ExternalId

TYPE = "webchat"
URL_MAX_CHARS = 2_048
TITLE_MAX_CHARS = 300
CHOICE_MAX_CHARS = 256
_LOCALE = re.compile(r"[A-Za-z]{2,8}([-_][A-Za-z0-9]{1,8}){0,3}\Z")


def check_message(frame: Msg, session_value: str, raw: RawInbound, tokens: Tokens, text_limit: int) -> NackCode | None:
    """Why a message can not be taken. None: it can."""
    text = frame.text or ""
    if len(text) > text_limit:
        return "too_long"
    match frame.type:
        case "text":
            return None if text.strip() else "bad_frame"
        case "file":
            if frame.attachment_id is None:
                return "bad_frame"
            found = tokens.attachment(frame.attachment_id, session_value, raw.received_at)
            return None if found else "attachment_unknown"
        case "reply":
            return None if frame.reply else "bad_frame"
        case _:
            return "unsupported_type"


def parse(raw: RawInbound, widget: str, tokens: Tokens) -> Sequence[Envelope]:
    try:
        if raw.origin == "live":
            return (_framed(raw, widget, raw.session or "", read_frame(raw.body)),)
        return (_called(raw, widget, tokens),)
    except (ValueError, RecursionError) as error:
        raise Malformed(f"no web chat request: {type(error).__name__}") from None


def typing(raw: RawInbound, widget: str, *, on: bool) -> Envelope:
    assert raw.session is not None
    return _envelope(raw, widget, raw.session, Typing(on=on), key=raw.id)


def _called(raw: RawInbound, widget: str, tokens: Tokens) -> Envelope:
    if (raw.method, raw.path) == ("POST", "/session"):
        request = read_session_request(raw.body)
        return _identified(raw, widget, tokens.asked(request, raw, widget)[0].address.value, request)
    session = peek_session(raw).address.value
    match raw.method, raw.path:
        case "POST", "/messages":
            return _framed(raw, widget, session, read_posted(raw.body))
        case "POST", "/identify":
            return _identified(raw, widget, session, read_proof(raw.body))
        case "DELETE", "/session":
            return _envelope(raw, widget, session, SessionEnded(), key=raw.id)
        case _:
            raise ValueError("nothing that is kept")


def _identified(raw: RawInbound, widget: str, session: str, proof: Proof) -> Envelope:
    who = identity.read(proof, widget)
    change = AddressChange(new=who.claims, reason="identified")
    return _envelope(raw, widget, session, change, key=raw.id, name=who.name)


def _framed(raw: RawInbound, widget: str, session: str, frame: ClientFrame) -> Envelope:
    match frame:
        case Msg(cid=cid, locale=locale):
            key = f"{sid_of(session)}:{cid}"
            body = Message(parts=_parts(frame), reply_to=_reply_to(frame), referral=_referral(frame.page))
            return _envelope(raw, widget, session, body, key=key, dedupe=True, locale=locale, external=True)
        case Read(seq=seq):
            key = f"{sid_of(session)}:read:{seq}"
            return _envelope(raw, widget, session, Receipt(status=Status.READ, up_to=seq), key=key, dedupe=True)
        case _:
            raise ValueError("a frame that is not kept")


def sid_of(session: str) -> str:
    if "/" not in session:
        raise ValueError("not a session")
    return session.rpartition("/")[2]


def _envelope(
    raw: RawInbound, widget: str, session: str, body: Body, *, key: str, dedupe: bool = False, external: bool = False,
    name: str | None = None, locale: str | None = None,
) -> Envelope:  # fmt: skip
    return Envelope(
        id=inbound_id(raw.endpoint_id, widget, key),
        direction="in",
        channel_type=TYPE,
        endpoint_id=raw.endpoint_id,
        account=widget,
        party=Party(claims=(AddressClaim(Address(Scheme.WEB, session), Evidence.CHANNEL),), name=name),
        occurred_at=raw.received_at,
        received_at=raw.received_at,
        external_id=ExternalId(key) if external else None,
        dedupe_keys=(key,) if dedupe else (),
        locale=locale if locale and _LOCALE.match(locale) else None,
        body=body,
        raw=Raw(raw.body) if dedupe else None,
    )


def _parts(frame: Msg) -> tuple[Part, ...]:
    match frame:
        case Msg(type="text", text=str(text)):
            return (Text(text),)
        case Msg(type="file", attachment_id=str(token)):
            return _file(peek_attachment(token).media, frame.text or None)
        case Msg(type="reply", reply=reply) if reply is not None:
            return (ChoiceMade(id=reply.id, title=(reply.title or reply.id)[:CHOICE_MAX_CHARS]),)
        case _:
            raise ValueError("a message without content")


def _file(media: MediaRef, caption: str | None) -> tuple[Part, ...]:
    match (media.mime or "").partition("/")[0]:
        case "image":
            return (Image(media, caption),)
        case "video":
            return (Video(media, caption),)
        case "audio":
            return (Audio(media), Text(caption)) if caption else (Audio(media),)
        case _:
            return (Document(media, caption),)


def _reply_to(frame: Msg) -> ReplyTo | None:
    target = frame.reply.to if frame.type == "reply" and frame.reply else frame.reply_to
    return ReplyTo(external_id=ExternalId(target)) if target else None


def _referral(page: PageSeen | None) -> Referral | None:
    """Where the visitor is on the site. Only web addresses: this is shown to agents as a link.

    What is too long is cut: nobody who came by a long address is kept from writing.
    """
    if page is None or not is_web_url(page.url):
        return None
    title, referrer = (page.title or "")[:TITLE_MAX_CHARS], (page.referrer or "")[:URL_MAX_CHARS]
    return Referral(source="page", url=page.url[:URL_MAX_CHARS], headline=title or None, text=referrer or None)


def is_web_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.netloc) and url.isprintable()
