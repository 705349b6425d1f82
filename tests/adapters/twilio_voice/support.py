"""The subject of these tests: a number of ours, how its provider signs, and the requests and frames of a call."""

import hmac
import json
from base64 import b64encode
from collections.abc import Mapping, Sequence
from datetime import datetime
from hashlib import sha1
from typing import Any, cast
from urllib.parse import parse_qsl

import msgspec

from adapters.base import Flow, LegView, Outcome, Placed, PushCall, RawInbound, Reply, SendContext, SendError, Sent
from adapters.twilio_voice import REGISTRATION, Config, TwilioVoice
from adapters.twilio_voice.ticket import Tickets, ticket
from adapters.twilio_voice.wire import Note, note_text
from normalizer import codec
from normalizer.address import parse_address
from normalizer.envelope import Envelope, Evidence
from normalizer.ids import EnvelopeId, ExternalId
from tests.kit import FORM, HOOK_URL, InboundCase, Subject, form, form_case, shown
from tests.kit.cases import ENDPOINT, NOW

TOKEN = "auth-token-typed-by-hand"
OLD_TOKEN = "auth-token-from-before"
ACCOUNT = "AC00000000000000000000000000000001"
NUMBER = "+15550002222"
CALLER = "+15550001111"
CALL = "CA000000000000000000000000000000aa"
LEG = f"tel:{CALLER}"
ATTESTED = {"StirVerstat": "TN-Validation-Passed-A"}
SETTINGS: dict[str, Any] = {
    "account_sid": ACCOUNT,
    "auth_tokens": (TOKEN, OLD_TOKEN),
    "number": NUMBER,
    "human_number": "+15559990000",
}
CONFIG = Config(**SETTINGS)
API = f"https://api.twilio.com/2010-04-01/Accounts/{ACCOUNT}"


def signature(url: str, fields: Sequence[tuple[str, str]] = (), token: str = TOKEN) -> str:
    """Made here from the standard library alone: the validator is what is tested."""
    text = url + "".join(name + value for name, value in sorted(fields))
    return b64encode(hmac.new(token.encode(), text.encode(), sha1).digest()).decode()


def _sign(raw: RawInbound) -> Mapping[str, str]:
    url = raw.public_url.replace("https://", "wss://") if raw.origin == "live" else raw.public_url
    fields = parse_qsl(raw.body.decode("utf-8", "replace"), keep_blank_values=True) if raw.method == "POST" else []
    return {"x-twilio-signature": signature(url, fields)}


def subject(config: Config = CONFIG) -> Subject:
    return Subject(REGISTRATION, config, _sign, (TOKEN, OLD_TOKEN))


SUBJECT = subject()
ADAPTER = cast(TwilioVoice, SUBJECT.adapter)


def adapter(**changes: Any) -> TwilioVoice:
    return TwilioVoice(ENDPOINT, Config(**{**SETTINGS, **changes}))


# --- webhooks -----------------------------------------------------------------------------------------------------


def fields(**more: str) -> dict[str, str]:
    """What every request of a call has."""
    return {
        "CallSid": CALL, "AccountSid": ACCOUNT, "ApiVersion": "2010-04-01", "Direction": "inbound",
        "CallStatus": "in-progress", "From": CALLER, "To": NUMBER, "Caller": CALLER, "Called": NUMBER,
        "FromCity": "", "FromState": "NY", "FromZip": "", "FromCountry": "US", "ToCity": "", "CallerCity": "",
        **more,
    }  # fmt: skip


def our_ticket(address: str = LEG, evidence: Evidence = Evidence.CHANNEL, call: str = CALL, **facts: Any) -> str:
    tickets = Tickets((TOKEN,), ENDPOINT)
    return tickets.sign(ticket(call, parse_address(address), evidence, NOW, **facts))


def hook(path: str = "", query: str = "", method: str = "POST", **more: str) -> RawInbound:
    """A signed request of a call."""
    if method == "GET":
        encoded = form(fields(**more)).decode()
        return SUBJECT.raw(b"", method="GET", path=path, query=f"{query}&{encoded}" if query else encoded)
    return SUBJECT.raw(form(fields(**more)), path=path, query=query, beside={"content-type": FORM})


def outcome(holder: str | None = None, wire_seq: int | None = 3, error: str | None = None) -> Outcome:
    return Outcome((Placed(EnvelopeId("env_1"), seq=5, wire_seq=wire_seq),), error, holder)


def document(reply: Reply | Any) -> str:
    assert isinstance(reply, Reply)
    assert (reply.status, reply.headers["content-type"]) == (200, "text/xml; charset=utf-8")
    return reply.body.decode().removeprefix('<?xml version="1.0" encoding="UTF-8"?>')


# --- wanted envelopes ---------------------------------------------------------------------------------------------


def wanted(body: Mapping[str, Any], *, who: str = LEG, evidence: int = 2, key: str | None = None, **more: Any) -> Any:
    """An envelope as JSON, with what all of them share filled in."""
    scheme, _, value = who.partition(":")
    full: dict[str, Any] = {
        "direction": "in",
        "channel_type": "twilio_voice",
        "endpoint_id": ENDPOINT,
        "account": NUMBER,
        "party": {"claims": [{"address": {"scheme": scheme, "value": value}, "evidence": evidence}]} if who else {},
        "occurred_at": "2026-01-02T03:04:05Z",
        "received_at": "2026-01-02T03:04:05Z",
        "dedupe_keys": [f"{CALL}/{key}"] if key else None,
        "body": body,
        **more,
    }
    return {name: item for name, item in full.items() if item is not None}


def event(name: str, *, direction: str = "in", **facts: Any) -> dict[str, Any]:
    return {"kind": "call_event", "call": CALL, "event": name, "direction": direction, **facts}


def said(*parts: Mapping[str, Any]) -> dict[str, Any]:
    return {"kind": "message", "parts": list(parts)}


def text(words: str) -> dict[str, Any]:
    return {"type": "text", "text": words}


def case(label: str, path: str, want: Sequence[Any], query: str = "", **more: str) -> InboundCase:
    return form_case(label, fields(**more), want, path=path, query=query)


# --- frames -------------------------------------------------------------------------------------------------------

SESSION = "VX000000000000000000000000000000aa"
NOTE = note_text(Note(CALL, SESSION, LEG, 2))
SETUP: dict[str, Any] = {
    "type": "setup", "sessionId": SESSION, "accountSid": ACCOUNT, "parentCallSid": "", "callSid": CALL, "from": CALLER,
    "to": NUMBER, "forwardedFrom": "", "callerName": "", "direction": "inbound", "callType": "PSTN",
    "callStatus": "RINGING", "applicationSid": None, "customParameters": {"ticket": our_ticket()},
}  # fmt: skip
START: dict[str, Any] = {
    "event": "start", "sequenceNumber": "1", "streamSid": "MZ1",
    "start": {"streamSid": "MZ1", "accountSid": ACCOUNT, "callSid": CALL, "tracks": ["inbound"],
              "customParameters": {"ticket": our_ticket()},
              "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1}},
}  # fmt: skip
PROMPT = {"type": "prompt", "voicePrompt": "where is my order", "lang": "en-US", "last": True}


def frame(document: Any, *, session: str | None = CALLER, note: str = NOTE) -> RawInbound:
    """One that came over a socket, bound or not."""
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    headers = {"x-session-note": note} if session is not None and note else {}
    return RawInbound(id="raw-1", endpoint_id=ENDPOINT, origin="live", received_at=NOW, method="GET", body=body,
                      headers=headers, session=session)  # fmt: skip


def framed(document: Any, note: str = NOTE) -> list[dict[str, Any]]:
    """The envelopes of a frame, as JSON."""
    raw = frame(document, note=note)
    envelopes = list(ADAPTER.parse(raw))
    assert list(ADAPTER.parse(raw)) == envelopes, "a second parse differs"
    for envelope in envelopes:
        json.loads(bytes(envelope.raw or b"null"))
    return [shown(envelope) for envelope in envelopes]


# --- out ----------------------------------------------------------------------------------------------------------


def message(body: Mapping[str, Any], **more: Any) -> Envelope:
    known = {"v": codec.VERSION, "id": "env_out", "direction": "out", "channel_type": "twilio_voice",
             "endpoint_id": ENDPOINT, "author": "ai", "occurred_at": NOW.isoformat(), "body": body}  # fmt: skip
    return codec.decode(json.dumps({**known, **more}).encode())


def ctx(to: str = LEG, *, last_inbound: str | None = f"{CALL}/raw-0", now: datetime = NOW, **facts: Any) -> SendContext:
    last = ExternalId(last_inbound) if last_inbound else None
    leg = LegView(address=parse_address(to), last_inbound=last)
    context = SendContext(now=now, leg=leg, echo_key="cmd_1:0", hook_url=HOOK_URL)
    return msgspec.structs.replace(context, **facts)


class Deserted(TwilioVoice):
    """Nobody is on the line: whoever is woken, there is no socket."""

    def send(self, message: Envelope, ctx: SendContext) -> Flow[Sent]:
        flow = super().send(message, ctx)
        try:
            call = next(flow)
            while isinstance(call, PushCall):
                call = flow.send(Reply(204))
            while True:
                try:
                    answer = yield call
                except SendError as error:  # handed on, as the transport does
                    call = flow.throw(error)
                else:
                    call = flow.send(answer)
        except StopIteration as done:
            sent: Sent = done.value
            return sent


def deserted(**changes: Any) -> Subject:
    registration = msgspec.structs.replace(REGISTRATION, build=Deserted)
    return Subject(registration, Config(**{**SETTINGS, **changes}), _sign, (TOKEN, OLD_TOKEN))
