"""Sockets of a line: whose leg they are, what they are shown, and what is answered when nothing can be kept."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from adapters.base import Wire
from gateway.live.lines import goes_out
from gateway.store.intake import IntakeRow
from gateway.store.reads import get_leg
from gateway.store.store import StoreUnavailable
from gateway.wake import Met
from normalizer.address import Address, Scheme
from normalizer.envelope import AddressClaim, AuthorKind, Envelope, Evidence, Message, Text
from normalizer.identity import claim_key
from normalizer.ids import AgentId, ChannelId, EnvelopeId, LegId, leg_id
from router.events import AgentReplied
from tests.gateway import phone
from tests.gateway.house import PATIENCE_S, Place, config, running, soon
from tests.gateway.phone import Caller

NUMBER = "+16505551234"
AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
FUTURE = "9999-01-01T00:00:00+00:00"


def leg(evidence: Evidence = Evidence.CHANNEL, account: str = "+1000", thread: str | None = None) -> LegId:
    key = claim_key(AddressClaim(Address(Scheme.TEL, NUMBER), evidence))
    return leg_id(ChannelId(f"phone{account}"), key, thread)


async def bound(place: Place, **bind: Any) -> Caller:
    return await (await Caller(place.url).dial(**bind)).ready()


def said_by(author: AuthorKind) -> Wire:
    said = Envelope(id=EnvelopeId("e"), direction="out", channel_type="phone", endpoint_id=phone.ENDPOINT,
                    author=author, occurred_at=AT, body=Message(parts=(Text("hello"),)), seq=1)  # fmt: skip
    return Wire(seq=1, envelope=said, at=AT)


def open_legs(place: Place) -> set[LegId]:
    return set(place.core.sockets()._legs)


# --- whose leg ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bind", "expected"),
    [
        ({}, leg()),
        ({"account": "+2000"}, leg(account="+2000")),
        ({"claimed": True}, leg(Evidence.CLAIMED)),
        ({"thread": "CA1"}, leg(thread="CA1")),
    ],
    ids=str,
)
async def test_a_socket_is_of_the_leg_that_its_turns_are_of(tmp_path: Path, bind: Any, expected: LegId) -> None:
    async with running(config(tmp_path)) as place:
        phone.install(place.core)
        caller = await bound(place, **bind)
        assert open_legs(place) == {expected}
        await caller.send(text="hello", **bind)
        assert await caller.cycles(1) == [["hello", ""]]
        assert await place.core.store.read(lambda tx: get_leg(tx, expected)) is not None


@pytest.mark.parametrize("bind", [{"account": "+3000"}, {"account": None}], ids=str)
async def test_a_number_that_the_endpoint_does_not_have_is_no_leg(tmp_path: Path, bind: Any) -> None:
    async with running(config(tmp_path)) as place:
        phone.install(place.core)
        caller = await Caller(place.url).dial(**bind)
        await caller.until(lambda: {"type": "closed"} in caller.frames)
        assert open_legs(place) == set()


async def test_what_was_told_once_comes_back_with_every_frame(tmp_path: Path) -> None:
    async with running(config(tmp_path)) as place:
        installed = phone.install(place.core)
        caller = await bound(place, note="CA1 VX1")
        await caller.say("hello")
        await caller.cycles(1)
        assert set(installed.notes) == {"CA1 VX1"}
        other = await bound(place)
        await other.say("hello")
        await other.cycles(2)
        assert set(installed.notes) == {"CA1 VX1", None}


async def test_the_first_frame_may_be_kept_as_well(tmp_path: Path) -> None:
    async with running(config(tmp_path)) as place:
        installed = phone.install(place.core)
        caller = await bound(place, note="CA1", keep=True, text="I am calling")
        assert await caller.cycles(1) == [["I am calling", ""]]
        assert set(installed.notes) == {"CA1"}


# --- what is shown ------------------------------------------------------------------------------------------------


async def test_a_call_knows_nothing_of_calls_before_it(tmp_path: Path) -> None:
    async with running(config(tmp_path)) as place:
        phone.install(place.core)
        first = await bound(place)
        await first.say("one")
        assert await first.cycles(1) == [["one", ""]]
        await first.hang_up()
        now = datetime.now(UTC).isoformat()
        second = await bound(place, since=now)
        await second.say("two")
        assert await second.cycles(1) == [["two", ""]]
        third = await bound(place, since=(datetime.now(UTC) - timedelta(hours=1)).isoformat())
        assert await third.cycles(2) == [["one"], ["two"]]


async def test_a_socket_that_only_hears_is_spoken_to_by_nobody(tmp_path: Path) -> None:
    async with running(config(tmp_path)) as place:
        phone.install(place.core)
        deaf, caller = await bound(place, since=FUTURE), await bound(place)
        await caller.say("one")
        assert await caller.cycles(1) == [["one", ""]]
        await deaf.say("two")
        assert await caller.cycles(2) == [["one", ""], ["two", ""]]
        assert deaf.spoken == []


async def test_a_push_tells_whether_somebody_is_there(tmp_path: Path) -> None:
    async with running(config(tmp_path)) as place:
        phone.install(place.core)
        wake = place.core.wake
        assert wake.leg(leg()) is Met.NOBODY
        deaf = await bound(place, since=FUTURE)
        assert wake.leg(leg()) is Met.NOBODY
        caller = await bound(place)
        assert wake.leg(leg()) is Met.LISTENER
        await caller.hang_up()
        await deaf.hang_up()
        await soon(lambda: not open_legs(place))
        assert wake.leg(leg()) is Met.NOBODY


@pytest.mark.parametrize(("author", "met"), [("ai", Met.DEAF), ("system", Met.LISTENER), ("agent", Met.LISTENER)])
async def test_a_push_tells_what_is_withheld_from_who_is_there(tmp_path: Path, author: AuthorKind, met: Met) -> None:
    async with running(config(tmp_path)) as place:
        phone.install(place.core)
        await bound(place, turns="CA2/")
        assert place.core.wake.leg(leg(), line=said_by(author)) is met
        await bound(place)
        assert place.core.wake.leg(leg(), line=said_by(author)) is Met.LISTENER


# --- what is shown once -------------------------------------------------------------------------------------------


async def replies(place: Place, words: str) -> None:
    row = await place.core.store.read(lambda tx: get_leg(tx, leg()))
    assert row is not None
    fact = AgentReplied(conversation_id=row.conversation_id, agent_id=AgentId("ann"), parts=(Text(words),), key=words)
    await place.core.receiver.enter(fact, row.conversation_id)


@pytest.mark.parametrize("failures", [0, 2])
async def test_what_must_not_be_shown_twice_is_recorded_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failures: int
) -> None:
    """While that can not be stored it is not shown, and nothing that follows it."""
    order: list[str] = []
    async with running(config(tmp_path)) as place:
        phone.install(place.core)
        write = place.core.store.write
        caller = await bound(place)
        await caller.say("hello")
        await caller.cycles(1)

        async def writes(work: Any, **facts: Any) -> Any:
            if getattr(work, "func", None) is not goes_out:
                return await write(work, **facts)
            if order.count("away") < failures:
                order.append("away")
                raise StoreUnavailable("away")
            found = await write(work, **facts)
            order.append(f"recorded with {len(caller.spoken)} shown")
            return found

        # Its send would tell as well, and is not over for now.
        until = place.core.clock.monotonic() + PATIENCE_S
        place.house.performer._limiter.penalize(ChannelId("phone+1000"), None, until)
        monkeypatch.setattr(place.core.store, "write", writes)
        await replies(place, "once")
        await replies(place, "as often as you like")
        assert await caller.cycles(3) == [["hello", ""], ["once"], ["as often as you like"]]
        assert order == [*["away"] * failures, "recorded with 1 shown"]


# --- webhooks of a line -------------------------------------------------------------------------------------------


async def ring(place: Place, path: str = "", **frame: Any) -> tuple[int, bytes]:
    url = f"{place.url}/hooks/{phone.ENDPOINT}{path}"
    async with place.http.post(url, json={"id": "1", "number": NUMBER, "event": "ringing", **frame}) as answer:
        return answer.status, await answer.read()


def received(place: Place, verdict: str) -> float:
    return float(place.core.metrics.received.labels(phone.ENDPOINT, verdict)._value.get())


async def test_a_ringing_call_is_told_who_answers(tmp_path: Path) -> None:
    async with running(config(tmp_path)) as place:
        phone.install(place.core)
        assert await ring(place) == (200, json.dumps("ai").encode())
        assert (received(place, "kept"), received(place, "rang")) == (1, 0)


def _away(rows: list[IntakeRow]) -> Any:
    raise StoreUnavailable("away")


@pytest.mark.parametrize(
    ("path", "rings", "status", "body"),
    [("", True, 200, b"<Sorry/>"), ("", False, 503, None), ("/broken", True, 503, None)],
)
async def test_when_the_store_is_away_the_line_has_its_own_answer(
    tmp_path: Path, path: str, rings: bool, status: int, body: bytes | None
) -> None:
    async with running(config(tmp_path)) as place:
        phone.install(place.core).rings = rings
        place.core.store.receive = _away  # type: ignore[method-assign]
        answer = await ring(place, path)
        assert answer[0] == status
        assert body is None or answer[1] == body
        assert received(place, "rang" if body else "store_unavailable") == 1
        assert received(place, "store_unavailable" if body else "rang") == 0


@pytest.mark.parametrize("rings", [True, False])
async def test_so_it_has_when_the_disk_is_full(tmp_path: Path, rings: bool) -> None:
    async with running(config(tmp_path)) as place:
        phone.install(place.core).rings = rings
        place.core.media.disk_state = lambda: "intake_stopped"  # type: ignore[method-assign]
        place.house.state.disk = "intake_stopped"
        status, body = await ring(place)
        assert (status, body == b"<Sorry/>") == ((200, True) if rings else (503, False))


async def test_while_we_stop_a_call_is_still_taken(tmp_path: Path) -> None:
    async with running(config(tmp_path)) as place:
        phone.install(place.core)
        place.house.state.draining = True
        assert (await ring(place))[0] == 200
        place.house.state.draining = False


# --- the end ------------------------------------------------------------------------------------------------------


async def test_whose_call_has_ended_is_nobody_before_he_could_read_of_it(tmp_path: Path) -> None:
    """Known by the commit: no look into the store comes between it and a push."""
    async with running(config(tmp_path)) as place:
        phone.install(place.core)
        await bound(place, note="CA1")
        place.core.sockets().mark = lambda socket: None  # type: ignore[method-assign]
        await ring(place, id="1")
        assert place.core.wake.leg(leg(), line=said_by("ai")) is Met.LISTENER
        await ring(place, id="2", event="ended")
        assert place.core.wake.leg(leg(), line=said_by("ai")) is Met.NOBODY


async def test_whose_end_was_kept_elsewhere_is_nobody_once_it_was_read(tmp_path: Path) -> None:
    """Another node's room has settled it: here it stands on the wire, and nowhere else."""
    async with running(config(tmp_path)) as place:
        phone.install(place.core)
        await bound(place, note="CA1")
        place.core.sockets().stored = lambda leg, envelope: None  # type: ignore[method-assign]
        await ring(place, event="ended")
        await soon(lambda: place.core.wake.leg(leg(), line=said_by("ai")) is Met.NOBODY)


async def test_a_line_that_does_not_know_its_end_ends_no_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(config(tmp_path)) as place:
        installed = phone.install(place.core)
        await bound(place, note="CA1")
        place.core.sockets().mark = lambda socket: None  # type: ignore[method-assign]
        monkeypatch.setattr(installed, "ends", None)
        await ring(place, id="1", event="ended")
        assert await ring(place, id="2") == (200, json.dumps("ai").encode())
        assert place.core.metrics.adapter_errors.labels(phone.ENDPOINT, "ends")._value.get() == 2
