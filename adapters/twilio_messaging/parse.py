"""A webhook, or a message that was found by asking, to its envelope.

Rule: what has a status other than `received`, or our key, is about a message of ours; all else with an id is a message.
Rule: the same message gives the same envelope id and key whether it was told or found. What was found lacks what was
tapped, quoted and advertised: it carries the failure `recovered`.
Rule: a message that Twilio has answered itself (STOP) is `observed`: whatever we sent would be refused.
Rule: what was tapped is told once, with its id, and not again as a text. Only WhatsApp and RCS have something to tap.
See https://www.twilio.com/docs/messaging/guides/webhook-request
"""

import base64
import re
from collections.abc import Collection
from typing import Any

import msgspec

from adapters._plain import answers, envelope, media_part
from adapters._twilio import MAX_WORD, Form, events, form_of, is_json, query_of, rfc2822
from adapters._twilio_codes import failure
from adapters.base import Malformed, RawInbound
from adapters.twilio_messaging.config import RCS, account_of, address_of, party_of
from normalizer import envelope as e
from normalizer.address import Address, Scheme
from normalizer.ids import ExternalId

Accounts = Collection[str]
CHANNEL_TYPE = "twilio_messaging"
ECHO = "echo"
"""The field of a status callback's query that holds our key."""
SID = ("MessageSid", "SmsMessageSid", "SmsSid")
RECOVERED = e.Failure("recovered", "found by asking the provider: what was tapped, quoted or advertised is not known")
STATUSES = {
    **dict.fromkeys(("sent", "partially_delivered"), e.Status.SENT),
    "delivered": e.Status.DELIVERED,
    "read": e.Status.READ,
    **dict.fromkeys(("failed", "undelivered", "canceled"), e.Status.FAILED),
}
OPT_OUT = frozenset({"stop", "stopall", "unsubscribe", "cancel", "end", "quit", "optout", "revoke"})
OPT_IN = frozenset({"start", "unstop"})
"""Words that Twilio obeys for phone numbers without being told to."""
MAX_MEDIA = 10
_OPTED = {"STOP": "opt_out", "START": "opt_in", "HELP": "help"}
_MEDIA_SID = re.compile(r"ME[0-9A-Za-z]+")
_BASE64 = re.compile(r"[A-Za-z0-9+/]{60,}={0,2}")
_REFERRAL = {"source": "SourceType", "source_id": "SourceId", "url": "SourceUrl", "headline": "Headline",
             "text": "Body", "click_id": "CtwaClid"}  # fmt: skip
_ROW = {"sid": "MessageSid", "from": "From", "to": "To", "body": "Body", "num_media": "NumMedia",
        "messaging_service_sid": "MessagingServiceSid", "date_sent": "DateSent"}  # fmt: skip


def parse(raw: RawInbound, accounts: Accounts) -> list[e.Envelope]:
    """Raises Malformed."""
    if raw.origin == "pulled":
        return [_message(raw, _found(raw.body), accounts, (RECOVERED,))]
    notices = next(iter(accounts), None)  # what is told to the whole endpoint is the first channel's
    if is_json(raw):
        return events(raw, CHANNEL_TYPE, notices)
    form = form_of(raw)
    if not form:
        raise Malformed("a request without fields")
    if not form.text(*SID):
        what = form.text("Level", "EventType")[:MAX_WORD] or "unknown"
        return [envelope(raw, CHANNEL_TYPE, e.Unsupported(what=what, visible=False), form.slice(), account=notices)]
    status = form.text("MessageStatus", "SmsStatus").lower()
    is_ours = status not in ("", "received", "receiving") or bool(query_of(raw).text(ECHO))
    return [_receipt(raw, form, status, accounts) if is_ours else _message(raw, form, accounts)]


def _receipt(raw: RawInbound, form: Form, status: str, accounts: Accounts) -> e.Envelope:
    account = account_of(accounts, form.text("From"), form.text("MessagingServiceSid"))
    sid, known = ExternalId(form.text(*SID)), STATUSES.get(status)
    body: e.Body = e.Unsupported(what=f"status:{status[:MAX_WORD]}", visible=False)
    if known:
        failed = failure(form.text("ErrorCode")) if known is e.Status.FAILED else None
        body = e.Receipt(status=known, target=sid, recipient=address_of(form.text("To"), account), failure=failed)
    party, echo = party_of(form, account, "To"), query_of(raw).text(ECHO) or None
    key = f"status:{sid}:{status}"
    return envelope(raw, CHANNEL_TYPE, body, form.slice(), key=key, account=account, party=party, echo_key=echo)


def _message(raw: RawInbound, form: Form, accounts: Accounts, failures: tuple[e.Failure, ...] = ()) -> e.Envelope:
    account = account_of(accounts, form.text("To"), form.text("MessagingServiceSid"))
    party = party_of(form, account, "From")
    wish = _opted(form, party.address)
    parts, lost = ((wish,), ()) if wish else _parts(form, party.address)
    return envelope(
        raw,
        CHANNEL_TYPE,
        _body(form, party, parts, (*failures, *lost)),
        msgspec.Raw(raw.body) if raw.origin == "pulled" else form.slice(),
        key=form.text(*SID),
        account=account,
        party=party,
        external_id=ExternalId(form.text(*SID)),
        observed=wish is not None and wish.id == "opt_out",
        occurred_at=rfc2822(form.text("DateSent")) or raw.received_at,
    )


def _body(form: Form, party: e.Party, parts: tuple[e.Part, ...], failures: tuple[e.Failure, ...]) -> e.Body:
    if not party.claims:
        return e.Unsupported(what=f"sender:{form.text('From').partition(':')[0][:MAX_WORD]}", failures=failures)
    if not parts:
        return e.Unsupported(what=form.text("MessageType")[:MAX_WORD] or "unknown", failures=failures)
    answered, shown = form.text("OriginalRepliedMessageSid"), form.text("ReferralMediaUrl")
    media = _media(shown, form.text("ReferralMediaContentType")) if shown else None
    said = {key: value for key, name in _REFERRAL.items() if (value := form.text(f"Referral{name}"))}
    return e.Message(
        parts=parts,
        reply_to=e.ReplyTo(ExternalId(answered)) if answered else None,
        forwarded="true" in (form.text("Forwarded").lower(), form.text("FrequentlyForwarded").lower()),
        referral=e.Referral(**said, media=media) if said or media else None,
        failures=failures,
    )


def _found(body: bytes) -> Form:
    """A row of the Messages list with its media, as the webhook would have told it. Raises Malformed."""
    try:
        row = msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Malformed("no row of the list") from None
    form = Form({name: [str(row.get(key) or "")] for key, name in _ROW.items()})
    if not form.text(*SID):
        raise Malformed("a row without its id")
    for place, media in enumerate(row["media"] if isinstance(row.get("media"), list) else ()):
        given = media if isinstance(media, dict) else {}
        form[f"MediaUrl{place}"] = [str(given.get("url") or "")]
        form[f"MediaContentType{place}"] = [str(given.get("content_type") or "")]
    return form


# --- parts --------------------------------------------------------------------------------------------------------


def _opted(form: Form, theirs: Address | None) -> e.ChoiceMade | None:
    """A wish to get no more messages, or to get them again, as a choice: Twilio has made it good already."""
    word = form.text("Body").strip()
    kind = _OPTED.get(form.text("OptOutType").upper())  # an account with Advanced Opt-Out has words of its own
    if kind is None and theirs and theirs.scheme is Scheme.TEL:
        kind = "opt_out" if word.lower() in OPT_OUT else "opt_in" if word.lower() in OPT_IN else None
    return e.ChoiceMade(kind, word or kind) if kind else None


def _parts(form: Form, theirs: Address | None) -> tuple[tuple[e.Part, ...], tuple[e.Failure, ...]]:
    """And what is missing. No part: a kind that this program does not know."""
    kind, body = form.text("MessageType").lower(), _words(form.text("Body"))
    rich = bool(theirs and theirs.scheme is Scheme.WHATSAPP) or form.text("To").startswith(RCS)
    if rich and (made := _made(form, kind, body)):
        return (made,), ()
    place, text = _location(form), (e.Text(body),) if body else ()
    if place:
        return (place, *(text if body != place.name else ())), ()
    files, lost = _files(form)
    if len(files) == 1 and body and isinstance(files[0], e.Image | e.Video | e.Document):
        return (type(files[0])(files[0].media, body),), lost
    if kind == "sticker":
        files = tuple(e.Sticker(file.media) for file in files)
    # An empty text is one, too, where nothing else is said.
    return (*text, *files) or ((e.Text(""),) if kind in ("", "text") else ()), lost


def _words(body: str) -> str:
    """Long texts were seen in base64. What only looks like it is hardly ever words in UTF-8."""
    try:
        text = base64.b64decode(body, validate=True).decode() if _BASE64.fullmatch(body) else ""
    except ValueError:
        return body
    return text if " " in text and all(char.isprintable() or char.isspace() for char in text) else body


def _made(form: Form, kind: str, body: str) -> e.ChoiceMade | None:
    if form.text("ButtonPayload", "ButtonText"):
        title = form.text("ButtonText") or body or form.text("ButtonPayload")
        return e.ChoiceMade(form.text("ButtonPayload", "ButtonText"), title)
    if row := form.text("ListId", "ListTitle"):
        return e.ChoiceMade(row, form.text("ListTitle") or body or row, form.text("ListDescription") or None)
    told = answers(form.text("InteractiveData", "FlowData") or (body if kind == "interactive" else ""))
    if told:
        return e.ChoiceMade("flow", body if body and body != told else "flow", form=told)
    return e.ChoiceMade(body, body) if kind in ("button", "interactive") and body else None


def _location(form: Form) -> e.Location | None:
    try:
        latitude, longitude = float(form.text("Latitude")), float(form.text("Longitude"))
    except ValueError:
        return None
    if not (abs(latitude) <= 90 and abs(longitude) <= 180):
        return None
    return e.Location(latitude, longitude, form.text("Label") or None, form.text("Address") or None)


def _files(form: Form) -> tuple[tuple[e.MediaPart, ...], tuple[e.Failure, ...]]:
    count = form.text("NumMedia")
    counted = int(count) if re.fullmatch(r"[0-9]{1,9}", count) else 0
    named = [place for place in range(MAX_MEDIA) if form.text(f"MediaUrl{place}")]
    media = [_media(form.text(f"MediaUrl{place}"), form.text(f"MediaContentType{place}")) for place in named]
    missing = counted - len(media)
    if len(media) > 1:  # how an MMS is laid out is no file of the sender's
        media = [one for one in media if one.mime != "application/smil"]
    return tuple(map(media_part, media)), (
        e.Failure("media_failed", f"{missing} files were not named"),
    ) if missing > 0 else ()


def _media(url: str, mime: str) -> e.MediaRef:
    """Its id is the end of the URL at Twilio."""
    name = url.rpartition("/")[2]
    return e.MediaRef(external_id=name if _MEDIA_SID.fullmatch(name) else None, url=url, mime=mime or None)
