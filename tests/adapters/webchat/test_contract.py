"""The contract that every adapter keeps, with the web chat's frames. Cases are typed from docs/adapters/webchat.md."""

import json
from typing import Any

import pytest
from hypothesis import given

from adapters.base import LegView, SendContext
from adapters.webchat import REGISTRATION
from normalizer.address import Address, Scheme
from normalizer.envelope import Choice, ChoicesOffered, Message, Receipt, Revoke, Status, Template, Text, Typing
from normalizer.ids import ExternalId
from tests.adapters.webchat.support import KEY, NOW, SECRET, SITE, config, outbound
from tests.kit import (
    InboundCase,
    OutboundCase,
    Subject,
    check_inbound,
    check_outbound,
    check_refused,
    check_survives,
    mutations,
)

LEG = "w1/mfrggzdfmztwq2lk"


SUBJECT = Subject(
    REGISTRATION,
    config(),
    lambda raw: {"origin": SITE},
    (SECRET, KEY),
    facts={"origin": "live", "session": LEG},
)
"""What arrives is a frame on a socket that speaks for a session."""
KNOWN = {
    "direction": "in",
    "channel_type": "webchat",
    "endpoint_id": "endpoint",
    "account": "w1",
    "party": {"claims": [{"address": {"scheme": "web", "value": LEG}, "evidence": 2}]},
    "occurred_at": "2026-01-02T03:04:05Z",
    "received_at": "2026-01-02T03:04:05Z",
}
MESSAGE = KNOWN | {"external_id": "mfrggzdfmztwq2lk:c1", "dedupe_keys": ["mfrggzdfmztwq2lk:c1"]}
TEXT: dict[str, Any] = {"t": "msg", "cid": "c1", "type": "text", "text": "hello"}
REPLY: dict[str, Any] = {"t": "msg", "cid": "c1", "type": "reply", "reply": {"to": "m43", "id": "a", "title": "Yes"}}


def frame(label: str, sent: dict[str, Any], want: dict[str, Any]) -> InboundCase:
    return InboundCase(label, json.dumps(sent).encode(), [want])


INBOUND = [
    frame("a text", TEXT, MESSAGE | {"body": {"kind": "message", "parts": [{"type": "text", "text": "hello"}]}}),
    frame(
        "a text with NUL is cleaned",
        TEXT | {"text": "he\x00llo"},
        MESSAGE | {"body": {"kind": "message", "parts": [{"type": "text", "text": "hello"}]}},
    ),
    frame(
        "an option that was chosen",
        REPLY,
        MESSAGE
        | {
            "body": {
                "kind": "message",
                "parts": [{"type": "choice_made", "id": "a", "title": "Yes"}],
                "reply_to": {"external_id": "m43"},
            }
        },
    ),
    frame(
        "where the visitor is",
        TEXT | {"locale": "de-AT", "page": {"url": "https://shop.example/cart", "title": "Cart"}},
        MESSAGE
        | {
            "locale": "de-AT",
            "body": {
                "kind": "message",
                "parts": [{"type": "text", "text": "hello"}],
                "referral": {"source": "page", "url": "https://shop.example/cart", "headline": "Cart"},
            },
        },
    ),
    frame(
        "reading",
        {"t": "read", "seq": 44},
        KNOWN
        | {
            "dedupe_keys": ["mfrggzdfmztwq2lk:read:44"],
            "body": {"kind": "receipt", "status": "read", "up_to": 44},
        },
    ),
]


@pytest.mark.parametrize("case", INBOUND, ids=str)
def test_inbound(case: InboundCase) -> None:
    check_inbound(SUBJECT, case)


@pytest.mark.parametrize("headers", [{}, {"origin": "null"}, {"origin": "https://evil.example"}])
def test_a_handshake_from_elsewhere_is_refused(headers: dict[str, str]) -> None:
    check_refused(SUBJECT, SUBJECT.raw(b"", headers=headers))


@given(mutations(TEXT) | mutations(REPLY) | mutations({"t": "read", "seq": 4}))
def test_any_change_of_a_frame_is_read_or_malformed(mutation: tuple[Any, Any]) -> None:
    check_survives(SUBJECT, json.dumps(mutation[1]).encode())


CONTEXT = SendContext(now=NOW, leg=LegView(address=Address(Scheme.WEB, LEG)), echo_key="k")
TYPING = '{"t":"typing","on":true,"ttl_ms":6000,"from":{"kind":"bot"}}'
WAKE = {"push": ""}


def sent(label: str, what: Any, calls: list[dict[str, Any]], *, ids: bool = True) -> OutboundCase:
    return OutboundCase(label, outbound(what, id="m46"), CONTEXT, [], calls, ["m46"] if ids else [])


OUTBOUND = [
    sent("a text", Message(parts=(Text("hello"),)), [WAKE]),
    sent("several parts are one message", Message(parts=(Text("a"), ChoicesOffered("b", (Choice("1", "x"),)))), [WAKE]),
    sent("taken back", Revoke(ExternalId("m1")), [WAKE]),
    sent("read", Receipt(status=Status.READ, up_to=4), [WAKE], ids=False),
    sent("read, and writing", Receipt(status=Status.READ, up_to=4, typing=True), [{"push": TYPING}], ids=False),
    sent("writing", Typing(), [{"push": TYPING}], ids=False),
    OutboundCase(
        "no templates here",
        outbound(Message(parts=(Template("t", "de"),))),
        CONTEXT,
        [],
        [],
        error={"class": "TemplateRefused", "code": "template_refused", "retryable": False, "certain": True},
    ),
]


@pytest.mark.parametrize("case", OUTBOUND, ids=str)
def test_outbound(case: OutboundCase) -> None:
    check_outbound(SUBJECT, case)
