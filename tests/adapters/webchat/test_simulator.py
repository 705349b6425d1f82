"""The visitor against frames typed by hand, then against the real adapter in a house of memory."""

import json
import random
from typing import Any

import pytest

from adapters.base import Reply
from adapters.webchat import Webchat
from adapters.webchat.simulator import NUMBERED, UNNUMBERED, Visitor
from normalizer.envelope import Typing
from tests.adapters.webchat.support import ENDPOINT, SITE, House, Tab, body, build, identity_jwt

READY = {
    "t": "ready",
    "v": 1,
    "session_id": "s",
    "seq": 0,
    "oldest": 1,
    "server_time": "x",
    "limits": {},
    "features": [],
}


def visitor(token: str | None = "wst_x.y") -> Visitor:
    return Visitor(base_url="https://gw.example", endpoint="web", origin=SITE, widget_key="w1", token=token)


def take(who: Visitor, *frames: dict[str, Any]) -> list[bytes]:
    return [answer for frame in frames for answer in who.take(json.dumps(frame).encode())]


def at_rest(**ready: Any) -> Visitor:
    who = visitor()
    who.opened()
    take(who, READY | ready)
    return who


def synced() -> Visitor:
    who = at_rest()
    take(who, {"t": "synced", "seq": 0})
    return who


def msg(seq: int, id: str = "", **changes: Any) -> dict[str, Any]:
    shown = {"t": "msg", "seq": seq, "id": id or f"m{seq}", "from": {"kind": "bot"}, "type": "text"}
    return shown | {"content": {"text": "x"}, "ts": "x"} | changes


def own(seq: int, cid: str, text: str = "hello", *, kind: str = "visitor") -> dict[str, Any]:
    return msg(seq, cid=cid, content={"text": text}) | {"from": {"kind": kind}}


def ack(cid: str, seq: int, *, dup: bool = False, id: str = "") -> dict[str, Any]:
    return {"t": "ack", "cid": cid, "id": id or f"m{seq}", "seq": seq, "ts": "x", "dup": dup}


# --- by hand ------------------------------------------------------------------------------------------------------


def test_it_says_hello_with_its_cursor_and_waits_for_the_replay_before_it_speaks() -> None:
    who = visitor()
    assert [json.loads(frame) for frame in who.opened()] == [
        {"t": "hello", "v": 1, "token": "wst_x.y", "resume_from": 0}
    ]
    assert who.say("hello", "c1") == []
    assert take(who, READY | {"seq": 1}, msg(1)) == []
    (sent,) = take(who, {"t": "synced", "seq": 1})
    assert json.loads(sent) == {"t": "msg", "cid": "c1", "type": "text", "text": "hello"}
    assert who.violations == []


def test_one_message_is_in_flight_and_the_next_follows_its_ack() -> None:
    who = synced()
    assert len(who.say("hello", "c1")) == 1
    assert who.say("again", "c2") == []
    (second,) = take(who, ack("c1", 1))
    assert json.loads(second)["cid"] == "c2"
    assert who.violations == []


def test_a_lost_ack_is_asked_for_again_with_the_same_cid() -> None:
    who = synced()
    first = who.say("hello", "c1")
    who.closed()
    assert who.opened()
    assert take(who, READY | {"seq": 1}, own(1, "c1"), {"t": "synced", "seq": 1}) == first
    assert take(who, ack("c1", 1, dup=True)) == []
    assert who.audit() == []


def test_a_retryable_refusal_keeps_the_message_and_another_drops_it() -> None:
    who = synced()
    first = who.say("hello", "c1")
    assert take(who, {"t": "nack", "cid": "c1", "code": "unavailable", "retryable": True}) == []
    assert who.retry() == first
    take(who, {"t": "nack", "cid": "c1", "code": "too_long", "retryable": False})
    assert (who.said["c1"].refused, who.retry()) == ("too_long", [])
    assert who.violations == []


def test_other_frames_of_the_visitor() -> None:
    who = synced()
    assert json.loads(who.saw()) == {"t": "read", "seq": 0}
    assert json.loads(who.typing(on=False)) == {"t": "typing", "on": False}
    (chosen,) = who.choose("m1", "a", "A", "c1")
    assert json.loads(chosen)["reply"] == {"to": "m1", "id": "a", "title": "A"}
    (filed,) = take(who, ack("c1", 1)) or who.attach("wat_x.y", "c2", "look")
    assert json.loads(filed) == {"t": "msg", "cid": "c2", "type": "file", "attachment_id": "wat_x.y", "text": "look"}
    assert take(who, {"t": "ping"}) == [b'{"t": "pong"}']


def test_partial_answers_and_quiet_frames_count_for_nothing() -> None:
    who = synced()
    partial = {"t": "upd", "id": "m1", "type": "text", "content": {"text": "Your"}, "final": False, "ts": "x"}
    take(who, partial, {"t": "typing", "on": True, "ttl_ms": 6000, "from": {"kind": "bot"}}, {"t": "pong"})
    take(who, msg(1), {"t": "skip", "seq": 2}, {"t": "close_soon", "reconnect_after_ms": 9})
    assert (who.cursor, who.reconnect_after_ms, who.violations) == (2, 9, [])


def test_what_is_no_longer_kept_is_skipped_and_noted() -> None:
    who = visitor()
    who.cursor = 3
    who.opened()
    take(who, READY | {"seq": 9, "oldest": 8}, msg(8), msg(9), {"t": "synced", "seq": 9})
    assert (who.resynced, who.cursor, who.violations) == (True, 9, [])


@pytest.mark.parametrize(
    ("frames", "word"),
    [
        ([msg(2)], "out of order"),
        ([msg(1), msg(3)], "out of order"),
        ([msg(1), msg(1)], "twice"),
        ([msg(1), msg(2), msg(1)], "twice"),
        ([msg(1, "a"), msg(2, "a")], "two numbers"),
        ([{"t": "msg", "id": "m"}], "without seq"),
        ([{"t": "upd", "id": "m", "final": True}], "without seq"),
        ([{"t": "synced", "seq": 0}], "without a replay"),
        ([READY], "ready twice"),
        ([{"t": "hello"}], "unknown frame"),
        ([ack("c9", 1)], "never sent"),
        ([{"t": "nack", "code": "bad_frame", "retryable": False}], "never sent"),
        ([ack("c1", 1, dup=True)], "dup for a first attempt"),
        ([ack("c1", 1), ack("c1", 2)], "two places"),
        ([ack("c1", 1), ack("c1", 1, id="other")], "two places"),
        ([ack("c1", 2), msg(1), msg(2), own(3, "c1")], "two places"),
        ([{"t": "ack", "cid": "c1", "id": "m1", "ts": "x", "dup": False}], "without seq"),
        ([ack("c1", 1), {"t": "nack", "cid": "c1", "code": "internal", "retryable": True}], "what was acknowledged"),
        ([own(1, "c1", "changed")], "changed"),
        ([own(1, "c1", kind="bot")], "another's name"),
        ([ack("c1", 5), msg(1), own(2, "c2", "again")], "out of our order"),
    ],
)
def test_it_notes_what_a_server_must_not_do(frames: list[dict[str, Any]], word: str) -> None:
    who = synced()
    who.say("hello", "c1")
    who.say("again", "c2")
    take(who, *frames)
    assert len(who.violations) >= 1
    assert word in who.violations[0]


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"7", b"{}", b"\xff"])
def test_it_notes_frames_that_are_none(data: bytes) -> None:
    who = synced()
    assert who.take(data) == []
    assert who.violations == ["a frame that is no JSON object with `t`"]


def test_it_notes_frames_before_ready_a_head_that_went_back_and_a_replay_that_stops_short() -> None:
    who = visitor()
    who.opened()
    take(who, msg(1))
    assert who.violations == ["msg before ready"]
    take(who, READY | {"seq": 0})
    assert who.violations[1:] == ["head 0 is behind what was seen, 1"]
    short = at_rest(seq=2)
    take(short, msg(1), {"t": "synced", "seq": 1})
    assert short.violations == ["synced 1, head 2, but seen up to 1"]


def test_the_audit_finds_what_was_acknowledged_and_never_came() -> None:
    who = synced()
    who.say("hello", "c1")
    take(who, ack("c1", 1))
    assert who.audit() == ["acknowledged and lost: c1"]
    take(who, own(1, "c1"))
    assert who.audit() == []


def test_a_message_that_was_taken_back_is_not_lost() -> None:
    who = synced()
    who.say("hello", "c1")
    take(who, ack("c1", 1), {"t": "del", "seq": 1, "id": "m1", "ts": "x"})
    assert who.audit() == []


def test_over_http_the_status_must_agree_with_the_ack() -> None:
    who = visitor()
    who.say("hello", "c1")
    assert who.post_request() is not None
    who.posted(Reply(200, body=json.dumps(ack("c1", 1)).encode()))
    assert who.violations == ["status 200 with dup False"]
    who.polled(Reply(200, body=json.dumps({"events": [msg(1), msg(2)], "seq": 3, "more": False}).encode()))
    assert who.violations[-1] == "a page that ends at 3, but seen up to 2"


def test_it_knows_every_frame_of_the_documents() -> None:
    assert len(NUMBERED | UNNUMBERED) == 14


# --- with the real adapter ----------------------------------------------------------------------------------------


def arrive(house: House, token: str | None = None) -> Visitor:
    who = visitor(token)
    assert who.session_given(house.call(who.session_request()))
    return who


def test_a_message_and_its_answer() -> None:
    house = House(build())
    who = arrive(house)
    tab = Tab(house, who)
    for frame in who.say("hello", "c1"):
        tab.send(frame)
    house.write(tab.session or "", "good evening")
    tab.wake()
    tab.send(who.saw())
    tab.send(who.typing())
    assert (who.cursor, who.said["c1"].seq, who.audit()) == (2, 1, [])
    assert [envelope.body for envelope in house.typed] == [Typing(on=True)]


def test_a_message_whose_ack_was_lost_is_one_message() -> None:
    house = House(build())
    who = arrive(house)
    tab = Tab(house, who)
    (frame,) = who.say("hello", "c1")
    tab.send(frame, lose_answer=True)
    who.closed()
    tab = Tab(house, who)
    assert (who.said["c1"].acked, who.said["c1"].attempts) == (True, 2)
    assert (len(house.wire(tab.session or "")), who.audit()) == (1, [])


def test_a_cid_with_other_content_is_a_conflict() -> None:
    house = House(build())
    who = arrive(house)
    tab = Tab(house, who)
    for frame in who.say("hello", "c1"):
        tab.send(frame)
    twin = visitor(who.token)
    other = Tab(house, twin)
    for frame in twin.say("something else", "c1"):
        other.send(frame)
    assert (twin.said["c1"].refused, len(house.wire(tab.session or ""))) == ("cid_conflict", 1)


def test_two_tabs_see_one_order_and_each_others_words() -> None:
    house = House(build())
    first = arrive(house)
    second = visitor(first.token)
    tabs = [Tab(house, first), Tab(house, second)]
    for number in range(10):
        for tab, who in zip(tabs, (first, second), strict=True):
            for frame in who.say(f"{number}", f"{id(who)}-{number}"):
                tab.send(frame)
    for tab in tabs:
        tab.wake()
    assert [frame["id"] for frame in first.shown.values()] == [frame["id"] for frame in second.shown.values()]
    assert (first.cursor, second.cursor, first.audit(), second.audit()) == (20, 20, [], [])


def test_what_was_said_while_nobody_was_there_comes_on_resume_and_once() -> None:
    house = House(build())
    who = arrive(house)
    tab = Tab(house, who)
    for frame in who.say("hello", "c1"):
        tab.send(frame)
    tab.wake()
    who.closed()
    for number in range(5):
        house.write(tab.session or "", f"answer {number}")
    Tab(house, who)
    assert (who.cursor, who.state, who.audit()) == (6, "live", [])


def test_socket_and_http_are_one_conversation() -> None:
    house = House(build())
    who = arrive(house)
    who.say("by http", "c1")
    request = who.post_request()
    assert request is not None
    assert house.call(request).status == 201
    request = who.post_request()
    assert request is not None
    again = house.call(request)
    assert again.status == 200
    who.posted(again)
    who.polled(house.call(who.poll_request()))
    tab = Tab(house, who)
    for frame in who.say("by socket", "c2"):
        tab.send(frame)
    tab.wake()
    assert (who.cursor, who.audit()) == (2, [])


def test_the_next_person_at_the_same_computer_sees_nothing() -> None:
    house = House(build())
    first = arrive(house)
    assert first.session_given(house.call(first.identify_request(identity_jwt())))
    tab = Tab(house, first)
    for frame in first.say("my secret", "c1"):
        tab.send(frame)
    assert house.call(first.identify_request(identity_jwt(sub="u2"))).status == 409
    assert house.call(first.leave_request()).status == 204
    second = visitor(None)
    assert second.session_given(house.call(second.session_request(identity_jwt(sub="u2"))))
    other = Tab(house, second)
    assert other.session != tab.session
    assert (second.cursor, second.shown, second.audit()) == (0, {}, [])


def test_a_bad_token_never_gets_in() -> None:
    house = House(build())
    who = visitor("wst_x.y")
    assert Tab(house, who).closed == 4401
    assert not who.session_given(Reply(401, body=b'{"code":"unauthenticated"}'))


def test_a_process_that_dies_between_any_two_frames_costs_a_reconnect_only() -> None:
    chance = random.Random(7)
    for _ in range(30):
        house = House(build())
        who = arrive(house)
        tab = Tab(house, who)
        for number in range(12):
            for frame in who.say(f"{number}", f"c{number}"):
                tab.send(frame, lose_answer=chance.random() < 0.3)
            if chance.random() < 0.3:
                house.write(tab.session or "", "an answer")
            if chance.random() < 0.4:
                house.adapter = Webchat(ENDPOINT, house.adapter.config)
                who.closed()
                tab = Tab(house, who)
            elif chance.random() < 0.5:
                tab.wake()
        for _ in range(12):
            for frame in who.retry():
                tab.send(frame)
        tab.wake()
        assert all(said.acked for said in who.said.values())
        assert who.audit() == []


def test_requests_carry_origin_and_token() -> None:
    who = visitor()
    request = who.poll_request(5)
    assert request.url == "https://gw.example/hooks/web/events?after=0&wait=5"
    assert request.headers == {"origin": SITE, "authorization": "Bearer wst_x.y"}
    assert (who.handshake().url, who.handshake().headers) == ("wss://gw.example/live/web", {"origin": SITE})
    assert json.loads(visitor(None).session_request().body) == {"widget_key": "w1"}
    assert body(Reply(body=who.session_request().body))["session_token"] == "wst_x.y"
