"""The simulator's webhooks: repeated, lost and found again, signed as documented."""

from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl

import pytest

from adapters.base import CallContext, Pulled
from adapters.twilio_messaging import simulator_content as content
from normalizer.envelope import (
    Image,
    MediaRef,
    Message,
)
from tests.adapters.twilio_messaging.simulated import (
    ADAPTER,
    LATER,
    exchange,
    on_the_wire,
    opened,
    read,
    sheena,
    text,
    twilio,
)
from tests.adapters.twilio_messaging.support import API, SMS, SUBJECT, WA, signature
from tests.kit import HOOK_URL, as_raw, check_refused, drive
from tests.kit.cases import NOW


@pytest.mark.parametrize(
    ("fragment", "answers", "tries"),
    [
        ("", [500], 1),
        ("", [0, 200], 2),
        ("", [0, 0], 2),
        ("", [404], 1),
        ("#rc=5&rp=all", [500, 503, 404, 200], 4),
        ("#rc=2&rp=5xx", [500, 500, 500], 3),
        ("#rc=2&rp=5xx", [404], 1),
        ("#rc=0", [0], 1),
    ],
)
def test_a_webhook_that_failed(fragment: str, answers: list[int], tries: int) -> None:
    """It comes again only where no connection was made, or its URL asks for more; then the same key comes with it."""
    simulated = twilio(HOOK_URL + fragment)
    simulated.send(sheena(), content.text("hi"), NOW)
    now, seen = NOW, []
    for status in answers:
        (request,) = simulated.due(now)
        assert simulated.due(now) == []
        seen.append(request.headers["i-twilio-idempotency-token"])
        simulated.delivered(request, status, now)
        now += timedelta(seconds=10)
    assert (len(seen), len(set(seen))) == (tries, 1)
    assert simulated.due(now) == []
    assert simulated.next_due() is None
    assert len(simulated.lost) == (answers[-1] != 200)


def test_what_was_lost_is_found() -> None:
    """The list has what no webhook told; the message is the same as if it had been told, and comes once."""
    simulated, customer = opened()
    cursor = _look(simulated, None).cursor
    told = simulated.send(customer, content.text("told"), NOW + timedelta(seconds=1))
    (seen,) = read(simulated)
    lost = simulated.send(customer, content.text("lost"), NOW + timedelta(seconds=2), told=False)
    me = simulated.world.received(b"PNG", "image/png")
    third = simulated.send(customer, content.media("image"), NOW + timedelta(seconds=3), media=[me], told=False, to=SMS)
    exchange(simulated, text(), NOW + timedelta(seconds=4))
    found = _found(_look(simulated, cursor))
    assert [e.external_id for e in found][-3:] == [told, lost, third]
    assert found[-3].id == seen.id
    assert isinstance(found[-1].body, Message)
    assert found[-1].body.parts == (
        Image(MediaRef(external_id=me, url=f"{API}/Messages/{third}/Media/{me}", mime="image/png")),
    )
    assert [e.account for e in found][-3:] == [WA, WA, SMS]


def test_many_lost_messages_are_found_page_by_page() -> None:
    """None of them is lost between two pages."""
    simulated, customer = opened()
    cursor = _look(simulated, None).cursor
    sids = [simulated.send(customer, content.text("x"), NOW + timedelta(seconds=n), told=False) for n in range(250)]
    found: list[str | None] = []
    pages = 0
    pulled = _look(simulated, cursor)
    while True:
        pages += 1
        found += [e.external_id for e in _found(pulled)]
        if not pulled.more:
            break
        pulled = _look(simulated, pulled.cursor)
    assert pages == 3
    assert set(sids) <= set(found)
    assert _found(_look(simulated, pulled.cursor))[-1].external_id == sids[-1]


def _look(simulated: Any, cursor: str | None) -> Pulled:
    driven: Any = drive(
        ADAPTER.pull("messages", cursor, CallContext(now=NOW)), lambda call: simulated.answer(on_the_wire(call), LATER)
    )
    assert driven.error is None
    pulled: Pulled = driven.value
    return pulled


def _found(pulled: Pulled) -> list[Any]:
    raws = [SUBJECT.raw(i.body, origin="pulled", path=i.path, beside=i.headers) for i in pulled.items]
    return [envelope for raw in raws for envelope in ADAPTER.parse(raw)]


def test_its_signature_is_the_documented_one() -> None:
    """Made again from the standard library; another body does not fit it."""
    simulated = twilio()
    simulated.send(sheena(), content.text(" é + 😀 "), NOW, to=SMS)
    (request,) = simulated.due(NOW)
    fields = parse_qsl(request.body.decode(), keep_blank_values=True)
    assert request.headers["x-twilio-signature"] == signature(HOOK_URL, fields)
    assert ("FromCity", "") in fields
    forged = request.body.replace(b"Body", b"Bodx")
    check_refused(SUBJECT, SUBJECT.raw(forged, headers=as_raw(SUBJECT, request).headers))
