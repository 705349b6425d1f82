"""The provider's side, against the adapter: each is a check of the other."""

import json
from datetime import datetime, timedelta
from itertools import count
from typing import Any

import msgspec
import pytest

from adapters.base import HttpCall, Reply, Request
from adapters.whatsapp import simulator_content as content
from adapters.whatsapp.simulator import Meta
from adapters.whatsapp.simulator_world import Customer, Number, Template
from normalizer.envelope import (
    Audio,
    ChoiceMade,
    ContactCard,
    Document,
    Edit,
    Image,
    Location,
    MediaRef,
    Message,
    Order,
    OrderItem,
    Part,
    Reaction,
    Receipt,
    Revoke,
    Status,
    Sticker,
    Text,
    Unsupported,
    Video,
    Voice,
)
from normalizer.ids import ExternalId
from tests.adapters.whatsapp.support import ACCOUNT, GRAPH, SECRET, SUBJECT, TOKEN, VERIFY_TOKEN, ctx, message
from tests.kit import Driven, check_refused, check_round_trip, drive_steps
from tests.kit.cases import NOW

ADAPTER = SUBJECT.adapter
LATER = NOW + timedelta(seconds=5)


def meta(**switches: Any) -> Meta:
    ids = (str(number) for number in count(1000))
    simulated = Meta(
        app_secret=SECRET,
        access_token=TOKEN,
        verify_token=VERIFY_TOKEN,
        webhook_url="https://gateway.example.org/hooks/wa",
        numbers=[Number(ACCOUNT, "15550783881"), Number("222", "15550783882")],
        ids=ids,
    )
    for name, value in switches.items():
        setattr(simulated, name, value)
    return simulated


def sheena() -> Customer:
    return Customer(name="Sheena", phone="16505551234", user_id="US.13491208655302741918")


def exchange(simulated: Meta, body: dict[str, Any], now: datetime = NOW, **facts: Any) -> Driven[list[str]]:
    """Send through the adapter, with the simulated API's answers."""
    return drive_steps(ADAPTER, message(body), ctx(**facts), lambda call: simulated.answer(on_the_wire(call), now))


def on_the_wire(call: HttpCall) -> Request:
    """With the credential and the bytes in their places."""
    headers = {**call.headers, "Authorization": f"Bearer {TOKEN}"} if call.auth else dict(call.headers)
    body = call.body
    if call.upload:
        headers["content-type"] = "multipart/form-data; boundary=b"
        parts = [
            f'--b\r\nContent-Disposition: form-data; name="{k}"\r\n\r\n{v}\r\n' for k, v in call.upload.fields.items()
        ]
        head = f'--b\r\nContent-Disposition: form-data; name="{call.upload.field}"; filename="f"\r\n'
        parts.append(f"{head}Content-Type: {call.upload.mime}\r\n\r\nBYTES\r\n--b--\r\n")
        body = "".join(parts).encode()
    return Request(method=call.method, url=call.url, headers=headers, body=body)


def text(body: str = "hello") -> dict[str, Any]:
    return {"kind": "message", "parts": [{"type": "text", "text": body}]}


def deliver(simulated: Meta, now: datetime = LATER) -> list[Any]:
    """The bodies of all that is told by now, answered with 200."""
    bodies = []
    for request in simulated.due(now):
        bodies += [e.body for e in ADAPTER.parse(SUBJECT.raw(request.body, headers=request.headers))]
        simulated.delivered(request, 200)
    return bodies


REF = MediaRef(external_id="m1", mime="image/jpeg")
SPOKEN: list[tuple[str, dict[str, Any], Part]] = [
    ("text", content.text("grüße 😀 / \u0000"), Text("grüße 😀 / \u0000")),
    ("image", content.media("image", "m1", "image/jpeg", caption="c"), Image(REF, "c")),
    ("video", content.media("video", "m1", "image/jpeg"), Video(REF)),
    ("audio", content.media("audio", "m1", "image/jpeg"), Audio(REF)),
    ("voice", content.voice("m1"), Voice(MediaRef(external_id="m1", mime="audio/ogg; codecs=opus"))),
    (
        "document",
        content.media("document", "m1", "image/jpeg", filename="é.pdf"),
        Document(MediaRef(external_id="m1", mime="image/jpeg", filename="é.pdf")),
    ),
    ("sticker", content.media("sticker", "m1", "image/jpeg"), Sticker(REF)),
    ("location", content.location(0.0, -1.5, "here"), Location(0.0, -1.5, "here")),
    ("button", content.button("a", "A"), ChoiceMade("a", "A")),
    ("row", content.row("a", "A", "the first"), ChoiceMade("a", "A", "the first")),
    ("form", content.form({"size": "M"}), ChoiceMade("flow", "Sent", form='{"size": "M"}')),
    ("quick reply", content.quick_reply("p", "P"), ChoiceMade("p", "P")),
    ("order", content.order("cat", ("p", 2, 7.99, "USD")), Order((OrderItem("p", 2, "7.99", "USD"),), "cat")),
    ("card", content.card("Al", "+1650", requested=True), ContactCard("Al", ("+1650",), requested=True)),
]


@pytest.mark.parametrize(("label", "said", "want"), SPOKEN, ids=[row[0] for row in SPOKEN])
def test_what_a_customer_sends_is_what_is_read(label: str, said: dict[str, Any], want: Part) -> None:
    """Every kind of message, escaped and signed as Meta does, comes out as it went in."""
    simulated, customer = meta(), sheena()
    message_id = simulated.send(customer, said, NOW)
    (request,) = simulated.due(NOW)
    assert request.body.isascii()
    (envelope,) = check_round_trip(SUBJECT, request, [Message(parts=(want,))])
    assert envelope.external_id == message_id, label
    assert envelope.party.name == "Sheena"
    assert [claim.address.value for claim in envelope.party.claims] == [customer.phone, customer.user_id]


def test_side_events_come_out_as_they_went_in() -> None:
    """Reactions, edits, revocations and what has no word."""
    simulated, customer = meta(batch=10), sheena()
    target = ExternalId("wamid.x")
    for said in (
        content.reaction(target, "👍"), content.reaction(target, None), content.edit(target, content.text("new")),
        content.revoke(target), content.unsupported("poll"),
    ):  # fmt: skip
        simulated.send(customer, said, NOW)
    (request,) = simulated.due(NOW)
    raw = SUBJECT.raw(request.body, headers=request.headers)
    bodies = [envelope.body for envelope in ADAPTER.parse(raw)]
    assert bodies[:4] == [Reaction(target, "👍"), Reaction(target), Edit(target, (Text("new"),)), Revoke(target)]
    assert isinstance(bodies[4], Unsupported)
    assert bodies[4].what == "poll"


def test_standby_echoes_and_groups_are_observed() -> None:
    """What others answer is stored only."""
    simulated, customer = meta(batch=10), sheena()
    simulated.send(customer, content.text("to the bot"), NOW, standby=True)
    simulated.echo(customer, content.text("from the phone app"), NOW)
    simulated.send(customer, content.text("lunch?"), NOW, group="g1")
    simulated.send(customer, content.text("@you"), NOW, group="g1", reply_to="wamid.ours")
    simulated.call(customer, "connect", NOW, "wacid.1")
    (request,) = simulated.due(NOW)
    envelopes = ADAPTER.parse(SUBJECT.raw(request.body, headers=request.headers))
    assert [(e.observed, e.author, e.group and e.group.value) for e in envelopes] == [
        (True, "customer", None),
        (True, "business", None),
        (True, "customer", "group/g1"),
        (False, "customer", "group/g1"),
        (False, "customer", None),
    ]


def test_handshake() -> None:
    """The right token is answered with the challenge; a wrong one is not."""
    for token, accepted in ((None, True), ("wrong", False)):
        request = meta().handshake("not-a-number", token)
        raw = msgspec.structs.replace(SUBJECT.raw(b""), method="GET", query=request.url.partition("?")[2])
        if not accepted:
            check_refused(SUBJECT, raw)
            continue
        reply = ADAPTER.verify(raw)
        assert isinstance(reply, Reply)
        assert reply.body == b"not-a-number"


# --- deliveries ---------------------------------------------------------------------------------------------------


def test_a_webhook_comes_again_until_it_is_taken() -> None:
    """Less and less often, and for seven days at most."""
    simulated = meta()
    simulated.send(sheena(), content.text("hi"), NOW)
    assert len(simulated.due(NOW)) == 1
    assert simulated.due(NOW + timedelta(seconds=9)) == []
    (again,) = simulated.due(NOW + timedelta(seconds=10))
    simulated.delivered(again, 503)
    assert simulated.due(NOW + timedelta(seconds=39)) == []
    (again,) = simulated.due(NOW + timedelta(seconds=40))
    simulated.delivered(again, 200)
    assert simulated.due(NOW + timedelta(days=1)) == []
    assert simulated.undelivered == 0
    simulated.send(sheena(), content.text("hi"), NOW)
    times = sum(len(simulated.due(NOW + timedelta(minutes=minute))) for minute in range(0, 8 * 24 * 60, 5))
    assert 10 < times < 40
    assert simulated.undelivered == 0


def test_batches_duplicates_and_order() -> None:
    """The switches: several updates in one POST, each POST twice, the newest first."""
    simulated, customer = meta(batch=3), sheena()
    for number in range(7):
        simulated.send(customer, content.text(str(number)), NOW, account=ACCOUNT if number % 2 else "222")
    requests = simulated.due(NOW)
    assert [len(json.loads(r.body)["entry"][0]["changes"]) for r in requests] == [3, 3, 1]
    accounts = [e.account for r in requests for e in ADAPTER.parse(SUBJECT.raw(r.body))]
    assert accounts == ["222", ACCOUNT, "222", ACCOUNT, "222", ACCOUNT, "222"]
    twice = meta(duplicates=True)
    twice.send(customer, content.text("x"), NOW)
    first, second = twice.due(NOW)
    assert first == second
    backwards = meta(reorder=True, batch=2)
    backwards.send(customer, content.text("old"), NOW)
    backwards.send(customer, content.text("new"), NOW + timedelta(seconds=1))
    assert [body.parts for body in deliver(backwards)] == [(Text("new"),), (Text("old"),)]


# --- the API ------------------------------------------------------------------------------------------------------


def test_a_conversation() -> None:
    """They write, we mark it as read while writing, we answer, they read: each side sees the other."""
    simulated, customer = meta(), sheena()
    theirs = simulated.send(customer, content.text("hi"), NOW)
    deliver(simulated)
    mark = {"kind": "receipt", "status": "read", "target": theirs, "typing": True}
    assert exchange(simulated, mark).error is None
    assert simulated.world.read == [theirs]
    typing_until = customer.typing_until
    assert typing_until == NOW + timedelta(seconds=25)
    sent = exchange(simulated, text("hello Sheena"), reply_to=theirs)
    assert sent.value is not None
    (shown,) = simulated.shown(customer)
    assert (shown.payload["text"]["body"], shown.payload["context"]) == ("hello Sheena", {"message_id": theirs})
    assert customer.typing_until is None
    assert [(r.status, r.target) for r in deliver(simulated)] == [
        (Status.SENT, sent.value[0]), (Status.DELIVERED, sent.value[0]),
    ]  # fmt: skip
    simulated.read(customer, LATER)
    (receipt,) = deliver(simulated)
    assert isinstance(receipt, Receipt)
    assert (receipt.status, receipt.target) == (Status.READ, sent.value[0])


def test_receipts_carry_our_echo_key() -> None:
    """The key that went out comes back with every status."""
    simulated, customer = meta(batch=10), sheena()
    simulated.send(customer, content.text("hi"), NOW)
    deliver(simulated)
    exchange(simulated, text())
    (request,) = simulated.due(LATER)
    assert {e.echo_key for e in ADAPTER.parse(SUBJECT.raw(request.body))} == {"cmd_1"}


def outcome(simulated: Meta, body: dict[str, Any], **facts: Any) -> tuple[str, str | None]:
    error = exchange(simulated, body, **facts).error
    return (type(error).__name__, error.provider_code) if error else ("sent", None)


def opened(**switches: Any) -> tuple[Meta, Customer]:
    simulated, customer = meta(**switches), sheena()
    simulated.send(customer, content.text("hi"), NOW)
    deliver(simulated, NOW)
    return simulated, customer


@pytest.mark.parametrize(
    ("label", "failure"),
    [("more than a day", "window_closed"), ("not on WhatsApp", "unreachable"), ("no marketing", "opted_out")],
)
def test_accepted_and_failed_later(label: str, failure: str) -> None:
    """The API accepts, and a status tells what became of it."""
    simulated, customer = opened()
    body = text()
    if failure == "window_closed":
        customer.windows.clear()
    elif failure == "unreachable":
        customer.on_whatsapp = False
    else:
        customer.stopped_marketing = True
        simulated.world.templates.append(Template("offer", "en"))
        body = {"kind": "message", "parts": [{"type": "template", "name": "offer", "language": "en"}]}
    assert outcome(simulated, body) == ("sent", None)
    (receipt,) = deliver(simulated)
    assert isinstance(receipt, Receipt)
    assert receipt.status is Status.FAILED
    assert receipt.failure is not None
    assert receipt.failure.code == failure, label


def test_templates() -> None:
    """A known one goes at any time; unknown, paused and ill-filled ones do not."""
    simulated, customer = opened()
    customer.windows.clear()
    simulated.world.templates += [Template("order", "en", 1), Template("old", "en", paused=True)]

    def template(name: str, *words: str) -> dict[str, Any]:
        filled = [{"type": "body", "parameters": [{"type": "text", "text": word} for word in words]}]
        return {
            "kind": "message",
            "parts": [{"type": "template", "name": name, "language": "en", "components": filled}],
        }

    assert outcome(simulated, template("order", "A1")) == ("sent", None)
    assert outcome(simulated, template("order")) == ("TemplateRefused", "132000")
    assert outcome(simulated, template("other")) == ("TemplateRefused", "132001")
    assert outcome(simulated, template("old")) == ("TemplateRefused", "132015")


def test_limits() -> None:
    """45 at once to one person, then one in six seconds; and so many a second from one number."""
    simulated, _ = opened()
    simulated.world.numbers[ACCOUNT] = Number(ACCOUNT, "15550783881", per_second=1000)
    results = [outcome(simulated, text()) for _ in range(46)]
    assert results == [("sent", None)] * 45 + [("Throttled", "131056")]
    assert exchange(simulated, text(), NOW + timedelta(seconds=6)).error is None
    slow, _ = opened()
    slow.world.numbers[ACCOUNT] = Number(ACCOUNT, "15550783881", per_second=2)
    assert [outcome(slow, text())[1] for _ in range(3)] == [None, None, "130429"]
    assert exchange(slow, text(), NOW + timedelta(seconds=1)).error is None


def test_faults_on_demand() -> None:
    """The next calls fail as they are told to."""
    simulated, _ = opened()
    simulated.world.faults += ["429", "500", "html", "401", "empty"]
    kinds = [outcome(simulated, text())[0] for _ in range(6)]
    assert kinds == ["Throttled", "Unavailable", "Unavailable", "CredentialsRefused", "NoAnswer", "sent"]
    simulated.world.faults += ["slow", "lost"]
    call = Request(method="GET", url=f"{GRAPH}/{ACCOUNT}", headers={"Authorization": f"Bearer {TOKEN}"})
    assert [simulated.answer(call, NOW).headers["x-simulated-delay-s"] for _ in range(2)] == ["30", "never"]


def test_a_wrong_token_and_a_wrong_path() -> None:
    """Nothing is answered to strangers, and nothing is made up."""
    simulated = meta()
    stranger = Request(method="GET", url=f"{GRAPH}/{ACCOUNT}", headers={"Authorization": "Bearer wrong"})
    assert simulated.answer(stranger, NOW).status == 401
    for method, url in (("GET", f"{GRAPH}/nothing"), ("POST", f"{GRAPH}/{ACCOUNT}"), ("GET", "https://example.org/")):
        assert (
            simulated.answer(Request(method=method, url=url, headers={"Authorization": f"Bearer {TOKEN}"}), NOW).status
            >= 400
        )


def offer(*choices: dict[str, str], **more: Any) -> list[dict[str, Any]]:
    return [{"type": "choices_offered", "text": "?", "choices": list(choices), **more}]


A, B = {"id": "a", "title": "A"}, {"id": "b", "title": "B"}
LONG = [{"id": str(number), "title": f"{number}" + "T" * 60} for number in range(30)]
SECTIONS = [{"id": str(n), "title": str(n), "section": "s" * 40 * (n % 2)} for n in range(6)]
ASKED: dict[str, list[dict[str, Any]]] = {
    "a long text": [{"type": "text", "text": "a" * 9000}],
    "an upload": [{"type": "image", "media": {"stored": "ab" * 32, "mime": "image/png"}}],
    "a place": [{"type": "location", "latitude": 1.0, "longitude": 2.0}],
    "a card": [{"type": "contact_card", "name": "Al", "phones": ["+1650"]}],
    "buttons": offer(A, B),
    "buttons below a long text": offer(A, B, text="?" * 5000),
    "long rows": offer(*LONG[:10]),
    "too many rows": offer(*LONG),
    "a long header and footer": offer(A, header="h" * 90, footer="f" * 90),
    "long and missing titles of sections": offer(*SECTIONS),
    "a long label of a list": offer(*SECTIONS, button="b" * 50),
    "a long label of a link": offer(link={"title": "L" * 40, "url": "https://example.org"}),
    "choices and a link": offer(A, link={"title": "L", "url": "https://example.org"}),
    "a request for the place": offer(request="location"),
    "a request for the number": offer(request="contact"),
    "a long request": offer(request="contact", text="?" * 1500, header="h", footer="f"),
}


@pytest.mark.parametrize("parts", ASKED.values(), ids=ASKED)
def test_what_the_adapter_sends_is_what_the_provider_takes(parts: list[dict[str, Any]]) -> None:
    """Whatever is asked for, nothing that goes out is over a limit."""
    simulated, customer = opened()
    driven = exchange(simulated, {"kind": "message", "parts": parts})
    assert driven.error is None
    assert driven.value
    assert len(simulated.shown(customer)) == len(driven.value)


def test_group() -> None:
    """A known group is written to, and each member's phone tells that it arrived."""
    simulated, customer = opened()
    simulated.world.groups["g1"] = [customer, Customer(name="Bo", user_id="DE.1", shows_phone=False)]
    assert outcome(simulated, text(), to="whatsapp:group/g2") == ("Refused", "100")
    assert outcome(simulated, text(), to="whatsapp:group/g1") == ("sent", None)
    receipts = deliver(simulated)
    assert [(r.status, r.recipient and r.recipient.value) for r in receipts] == [
        (Status.SENT, None), (Status.DELIVERED, "16505551234"), (Status.DELIVERED, "DE.1"),
    ]  # fmt: skip


def test_statuses_in_any_order() -> None:
    """Any status can be told at any time."""
    simulated, customer = opened()
    exchange(simulated, text())
    deliver(simulated)
    (shown,) = simulated.shown(customer)
    simulated.tell(shown.id, "read", NOW)
    simulated.tell(shown.id, "delivered", NOW)
    simulated.tell(shown.id, "failed", NOW, code=131049)
    receipts = deliver(simulated)
    assert [r.status for r in receipts] == [Status.READ, Status.DELIVERED, Status.FAILED]
    assert receipts[2].failure.provider_code == "131049"
