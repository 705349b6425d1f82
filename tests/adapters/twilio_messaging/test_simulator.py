"""The provider's side, against the adapter: each is a check of the other."""

from datetime import timedelta
from typing import Any

import pytest

from adapters.base import CallContext, HttpCall, Refused
from adapters.twilio_messaging import simulator_content as content
from adapters.twilio_messaging.simulator_content import Fields
from adapters.twilio_messaging.simulator_world import Content
from normalizer.envelope import (
    ChoiceMade,
    Image,
    Location,
    MediaRef,
    Message,
    Part,
    Receipt,
    Referral,
    ReplyTo,
    Status,
    Text,
    Unsupported,
    Voice,
)
from normalizer.ids import ExternalId
from tests.adapters.twilio_messaging.simulated import (
    ADAPTER,
    LATER,
    POOLED,
    deliver,
    exchange,
    on_the_wire,
    opened,
    outcome,
    read,
    sheena,
    text,
    twilio,
)
from tests.adapters.twilio_messaging.support import API, RCS, SERVICE, SMS, SUBJECT, WA, ctx, message
from tests.kit import check_round_trip, drive
from tests.kit.cases import NOW


@pytest.mark.parametrize(
    ("said", "to", "want"),
    [
        (content.text(" héllo + 😀 "), WA, Text(" héllo + 😀 ")),
        (content.text(" héllo + 😀 "), SMS, Text(" héllo + 😀 ")),
        (content.text("hello"), RCS, Text("hello")),
        (content.location(1.5, -2, "Shop", "Main St"), WA, Location(1.5, -2.0, "Shop", "Main St")),
        (content.button("y", "Yes"), WA, ChoiceMade("y", "Yes")),
        (content.button("y", "Yes"), RCS, ChoiceMade("y", "Yes")),
        (content.button("y", "Yes"), SMS, Text("Yes")),
        (content.row("r", "Blue", "sky"), WA, ChoiceMade("r", "Blue", "sky")),
        (content.form({"size": "L"}), WA, ChoiceMade("flow", "Sent", form='{"size": "L"}')),
        (content.text("STOP"), SMS, ChoiceMade("opt_out", "STOP")),
        (content.text("START"), SMS, ChoiceMade("opt_in", "START")),
        (content.text(""), SMS, Text("")),
    ],
)
def test_what_was_said_is_what_is_read(said: Fields, to: str, want: Part) -> None:
    """On each channel, as it has it."""
    simulated = twilio()
    simulated.send(sheena(), said, NOW, to=to)
    (request,) = simulated.due(NOW)
    check_round_trip(SUBJECT, request, [Message(parts=(want,))])


def test_what_else_a_message_says() -> None:
    """Forwarded, from an advertisement, an answer, of a kind that nobody knows."""
    simulated, customer = twilio(), sheena()
    advertised = content.advertised("hi", "https://fb.me/x", "Sale")
    for said, reply_to in (
        (content.forwarded(content.text("a")), None), (advertised, None), (content.text("b"), "SM7"),
        (content.unknown("hologram"), None),
    ):  # fmt: skip
        simulated.send(customer, said, NOW, reply_to=reply_to)
    first, second, third, fourth = deliver(simulated)
    assert first.forwarded
    referral = Referral(source="ad", source_id="120", url="https://fb.me/x", headline="Sale", click_id="simulated")
    assert second.referral == referral
    assert third.reply_to == ReplyTo(ExternalId("SM7"))
    assert fourth == Unsupported(what="hologram")


@pytest.mark.parametrize(
    ("facts", "to", "want"),
    [
        ({}, WA, ["whatsapp:16505551234"]),
        ({}, SMS, ["tel:+16505551234"]),
        ({}, RCS, ["tel:+16505551234"]),
        ({"user_id": "US.1349"}, WA, ["whatsapp:16505551234", "whatsapp:US.1349"]),
        ({"user_id": "US.1349", "shows_phone": False}, WA, ["whatsapp:US.1349"]),
    ],
)
def test_who_wrote(facts: dict[str, Any], to: str, want: list[str]) -> None:
    """By number, by user id, by both."""
    simulated = twilio()
    simulated.send(sheena(**facts), content.text("hi"), NOW, to=to)
    (envelope,) = read(simulated)
    assert [str(claim.address) for claim in envelope.party.claims] == want
    assert envelope.account == to


def test_numbers_of_a_service() -> None:
    """What is written to one of them is the service's."""
    simulated = twilio()
    simulated.send(sheena(), content.text("hi"), NOW, to=POOLED)
    (envelope,) = read(simulated)
    assert envelope.account == SERVICE
    assert exchange(simulated, text(), to="tel:+16505551234", account=SERVICE).error is None
    assert [e.account for e in read(simulated)] == [SERVICE] * 2


def test_files_go_the_whole_way() -> None:
    """Told by their URL, which leads to storage; the credentials stay behind."""
    simulated, customer = twilio(), sheena()
    picture, sound = simulated.world.received(b"PNG", "image/png"), simulated.world.received(b"OGG", "audio/ogg")
    sid = simulated.send(customer, content.media("image", "look"), NOW, media=[picture, sound])
    (body,) = deliver(simulated)
    url = f"{API}/Messages/{sid}/Media/{picture}"
    ref = MediaRef(external_id=picture, url=url, mime="image/png")
    assert body.parts[:2] == (Text("look"), Image(ref))
    assert isinstance(body.parts[2], Voice)
    assert fetched(simulated, ref) == (200, b"PNG")
    simulated.world.media[picture].gone = True
    assert fetched(simulated, ref)[0] == 404


def fetched(simulated: Any, ref: MediaRef) -> tuple[int, bytes]:
    """The last answer: here the bytes are still in it."""
    flow, replies = ADAPTER.fetch(ref, CallContext(now=NOW)), []
    call = next(flow)
    try:
        while True:
            assert isinstance(call, HttpCall)
            replies.append(simulated.answer(on_the_wire(call), NOW))
            call = flow.send(replies[-1])
    except Exception:  # noqa: BLE001  the transport's part (storing) is not played here
        return replies[-1].status, replies[-1].body


# --- receipts -----------------------------------------------------------------------------------------------------


def statuses(simulated: Any) -> list[tuple[str, str | None]]:
    bodies = [body for body in deliver(simulated) if isinstance(body, Receipt)]
    return [(body.status.value, body.failure.provider_code if body.failure else None) for body in bodies]


def test_receipts() -> None:
    """In their order, with our key, and read when it is read."""
    simulated, customer = opened()
    driven = exchange(simulated, text())
    receipts = read(simulated)
    assert [e.echo_key for e in receipts] == ["cmd_1"] * 2
    bodies = [e.body for e in receipts if isinstance(e.body, Receipt)]
    assert [body.status for body in bodies] == [Status.SENT, Status.DELIVERED]
    assert [body.target for body in bodies] == (driven.value or []) * 2
    assert [row.body for row in simulated.shown(customer)] == ["hello"]
    simulated.read(customer, LATER)
    assert statuses(simulated) == [("read", None)]
    simulated.read(customer, LATER)
    assert statuses(simulated) == []


def test_who_reads_at_once() -> None:
    """On WhatsApp and RCS, but never by SMS."""
    simulated, _ = opened(reads=True)
    exchange(simulated, text())
    assert statuses(simulated) == [("sent", None), ("delivered", None), ("read", None)]
    exchange(simulated, text(), to="tel:+16505551234", account=SMS)
    assert statuses(simulated) == [("sent", None), ("delivered", None)]


@pytest.mark.parametrize(
    ("facts", "context", "code"),
    [
        ({"on_whatsapp": False}, {}, "63003"),
        ({}, {"now": NOW + timedelta(hours=24)}, "63016"),
        ({"reachable": False}, {"to": "tel:+16505551234", "account": SMS}, "30003"),
    ],
)
def test_sent_and_then_undelivered(facts: dict[str, Any], context: dict[str, Any], code: str) -> None:
    """As it often is: the reason comes later."""
    simulated, _ = opened(**facts)
    later = context.pop("now", NOW)
    assert exchange(simulated, text(), later, **context).error is None
    bodies = [body for body in deliver(simulated, later + timedelta(seconds=5)) if isinstance(body, Receipt)]
    assert [body.status for body in bodies] == [Status.SENT, Status.FAILED]
    assert bodies[1].failure is not None
    assert bodies[1].failure.provider_code == code


def test_the_window_is_open_for_a_day_and_templates_need_none() -> None:
    """At its end it is closed."""
    simulated, _ = opened()
    for late, want in ((timedelta(hours=23, minutes=59), "delivered"), (timedelta(hours=24), "undelivered")):
        driven = exchange(simulated, text(), NOW + late)
        assert driven.value is not None
        assert simulated.world.rows[driven.value[0]].status == want
    simulated.world.content["HX0"] = Content({"twilio/text": {"body": "hi"}}, approved=True)
    template = {"kind": "message", "parts": [{"type": "template", "name": "HX0", "language": "en"}]}
    driven = exchange(simulated, template, NOW + timedelta(days=9))
    assert driven.value is not None
    assert simulated.world.rows[driven.value[0]].status == "delivered"


def test_receipts_may_be_late_missing_doubled_and_out_of_order() -> None:
    """Whatever comes, comes with the same keys."""
    simulated, _ = opened()
    simulated.world.receipts_late_s = 60
    exchange(simulated, text())
    assert statuses(simulated) == []
    assert [body.status for body in deliver(simulated, LATER + timedelta(seconds=61))] == [
        Status.SENT,
        Status.DELIVERED,
    ]
    simulated.world.receipts_late_s, simulated.duplicates, simulated.reorder = 0, True, True
    exchange(simulated, text())
    doubled = read(simulated)
    assert [e.body.status.value for e in doubled if isinstance(e.body, Receipt)] == ["delivered"] * 2 + ["sent"] * 2
    assert len({e.dedupe_keys for e in doubled}) == 2
    simulated.world.receipts = False
    exchange(simulated, text())
    assert statuses(simulated) == []


def test_any_status_can_be_told() -> None:
    """Also of the past, and with a reason."""
    simulated, _ = opened()
    driven = exchange(simulated, text())
    deliver(simulated)
    assert driven.value is not None
    simulated.tell(driven.value[0], "undelivered", LATER, 63018)
    assert statuses(simulated) == [("failed", "63018")]
    simulated.tell(driven.value[0], "levitated", LATER)
    assert deliver(simulated) == [Unsupported(what="status:levitated", visible=False)]


# --- opting out ---------------------------------------------------------------------------------------------------


def test_stop_and_start() -> None:
    """After STOP nothing goes out to this number from this sender; START lifts it."""
    simulated, customer = opened(SMS)
    to = {"to": "tel:+16505551234", "account": SMS}
    assert outcome(simulated, text(), **to) == ("sent", None)
    simulated.send(customer, content.text("Stop"), NOW, to=SMS)
    assert outcome(simulated, text(), **to) == ("OptedOut", "21610")
    assert outcome(simulated, text()) == ("sent", None), "WhatsApp is another sender"
    simulated.send(customer, content.text("START"), NOW, to=SMS)
    assert outcome(simulated, text(), **to) == ("sent", None)


def found(simulated: Any, body: dict[str, Any], to: str = "whatsapp:16505551234") -> list[str]:
    flow = ADAPTER.find(message(body), ctx(to), NOW)
    driven: Any = drive(flow, lambda call: simulated.answer(on_the_wire(call), LATER))
    assert driven.error is None
    return list(driven.value)


@pytest.mark.parametrize(
    "part",
    [
        {"type": "text", "text": " héllo + 😀 "},
        {"type": "image", "media": {"url": "https://x.example/a.png"}},
        {"type": "image", "media": {"url": "https://x.example/a.png"}, "caption": "look"},
        {"type": "location", "latitude": 1.5, "longitude": -2, "name": "Shop"},
    ],
)
def test_what_was_taken_is_found(part: dict[str, Any]) -> None:
    """By the id that the answer would have told."""
    simulated, _ = opened()
    body = {"kind": "message", "parts": [part]}
    assert found(simulated, body) == []
    sent = exchange(simulated, body, LATER)
    assert found(simulated, body) == sent.value


def test_what_was_taken_and_failed_is_not_found() -> None:
    simulated, customer = opened()
    exchange(simulated, text(), LATER)
    exchange(simulated, text("again"), LATER)
    customer.windows.clear()
    exchange(simulated, text("too late"), LATER)
    assert [len(found(simulated, text(body))) for body in ("hello", "again", "too late")] == [1, 1, 0]


def test_what_is_found_of_several_parts_is_the_one_that_is_asked_for() -> None:
    simulated, _ = opened()
    parts = [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]
    body = {"kind": "message", "parts": parts}
    sent = exchange(simulated, body, LATER)
    for step in (0, 1, 2):
        flow = ADAPTER.find(message(body), ctx(step=step), NOW)
        driven: Any = drive(flow, lambda call: simulated.answer(on_the_wire(call), LATER))
        assert list(driven.value) == (sent.value or [])[step : step + 1]


def test_a_template_is_not_looked_for() -> None:
    """Twilio made its text."""
    template = {"type": "template", "name": "order_update", "language": "en"}
    assert drive(ADAPTER.find(message({"kind": "message", "parts": [template]}), ctx(), NOW), []).value == []


def test_to_whom_nobody_can_write_nothing_is_found() -> None:
    driven = drive(ADAPTER.find(message(text()), ctx("mailto:a@b.example"), NOW), [])
    assert isinstance(driven.error, Refused)
