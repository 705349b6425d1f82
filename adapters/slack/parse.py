"""From one request to envelopes: an event, a click, a command, or what Slack says about the app itself.

Rule: the same content is the same envelope, whether it was POSTed as JSON, as a form, came over a socket or was pulled.
Rule: nothing is dropped. What has no word here is `Unsupported` under Slack's own name for it.
"""

from urllib.parse import parse_qsl

import msgspec
from msgspec import Raw

from adapters.base import Malformed, RawInbound, Reply
from adapters.slack import wire
from adapters.slack.actions import TYPES, command_envelope, interaction_envelopes
from adapters.slack.delivery import Delivery, House
from adapters.slack.events import event_envelope
from normalizer import codec
from normalizer.envelope import Envelope, Failure

FORM_FIELDS_MAX = 100
_TOKENS = frozenset({"token"})
"""The old verification token: it proves nothing, and is nobody's business."""


def parse(raw: RawInbound, house: House) -> list[Envelope]:
    """Raises Malformed when the body as a whole is nothing that Slack sends."""
    slice_ = Raw(document_of(raw))
    outer, _ = wire.read_outer(slice_)
    if outer is None:
        raise Malformed("the body is no object")
    if outer.type == "event_callback":
        return [event_envelope(Delivery(raw, house, outer.event, outer))]
    if outer.type in TYPES:
        return interaction_envelopes(raw, house, slice_, outer)
    if outer.command:
        return [command_envelope(raw, house, slice_, outer)]
    delivery = Delivery(raw, house, slice_, outer)
    if outer.type == "app_rate_limited":
        text = "more than 30,000 events in an hour: Slack withholds some"
        return [delivery.notice(outer.type, Failure("throttled", text))]
    return [delivery.notice((outer.type or "malformed:request")[:200])]


def document_of(raw: RawInbound) -> bytes:
    """The JSON of a request: its body, its form's `payload`, or the fields of a command. Raises Malformed."""
    body = raw.body
    if _is_form(raw):
        fields = form_of(body)
        if "payload" not in fields:
            return msgspec.json.encode(codec.clean({key: fields[key] for key in fields if key not in _TOKENS}))
        body = fields["payload"].encode("utf-8", "surrogatepass")
    try:
        fields_ = codec.loads(_valid(body), dict[str, Raw])
        return msgspec.json.encode({key: fields_[key] for key in fields_ if key not in _TOKENS})
    except msgspec.DecodeError as error:
        raise Malformed(f"the body is not what is documented: {error}") from None


def form_of(body: bytes) -> dict[str, str]:
    """Raises Malformed."""
    try:
        text = body.decode("utf-8", "replace")
        return dict(parse_qsl(text, keep_blank_values=True, max_num_fields=FORM_FIELDS_MAX))
    except ValueError:
        raise Malformed("the form is unreadable") from None


def _is_form(raw: RawInbound) -> bool:
    if "x-www-form-urlencoded" in raw.headers.get("content-type", ""):
        return True
    return raw.body.startswith((b"payload=", b"token=", b"ssl_check="))


def _valid(data: bytes) -> bytes:
    return data if data.isascii() else data.decode("utf-8", "replace").encode()


def answer_of(raw: RawInbound) -> Reply:
    """Empty for nearly everything. A menu that asks for its options gets none: we make menus with all of theirs."""
    if b"block_suggestion" in raw.body and (outer := _outer_of(raw)) and outer.type == "block_suggestion":
        return Reply(200, {"content-type": "application/json"}, b'{"options":[]}')
    return Reply(200)


def _outer_of(raw: RawInbound) -> wire.Outer | None:
    try:
        return wire.read_outer(document_of(raw))[0]
    except Malformed:
        return None
