"""A send in doubt is found in its conversation if it went out, and only then."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import pytest

from adapters.base import HttpCall, Reply, Throttled
from adapters.slack.simulator import Workspace
from normalizer.ids import ExternalId
from tests.adapters.slack.simulated import ADAPTER, LATER, ana, exchange, on_the_wire, room, text, workspace
from tests.adapters.slack.support import ctx, message
from tests.kit import Driven, drive, given_reply
from tests.kit.cases import NOW

FINDER: Any = ADAPTER
FILE = {
    "kind": "message",
    "parts": [{"type": "image", "media": {"stored": "a", "size": 5, "filename": "boots.png"}}],
}


def _found(simulated: Workspace, body: Mapping[str, Any], **facts: Any) -> Driven[Sequence[ExternalId]]:
    flow = FINDER.find(message(body), ctx(**facts), NOW)

    def answer(call: HttpCall) -> Reply:
        return simulated.answer(on_the_wire(call), LATER)

    return drive(flow, answer)


def _told(replies: Sequence[Mapping[str, Any]], body: Mapping[str, Any], **facts: Any) -> Driven[Sequence[ExternalId]]:
    return drive(FINDER.find(message(body), ctx(**facts), NOW), [given_reply(reply) for reply in replies])


@pytest.fixture
def simulated() -> Workspace:
    made = workspace()
    made.direct(ana())
    return made


@pytest.mark.parametrize("to", ["slack:T1/U1", "slack:T1/D1"])
def test_the_message_that_carries_its_key(simulated: Workspace, to: str) -> None:
    """Of three that say the same."""
    sent = [exchange(simulated, text(), to=to, echo_key=f"cmd_{n}:0").value for n in (1, 2, 3)]
    assert _found(simulated, text(), to=to, echo_key="cmd_2:0").value == sent[1]
    assert _found(simulated, text(), to=to, echo_key="cmd_4:0").value == []


def test_an_answer_in_a_thread(simulated: Workspace) -> None:
    root = simulated.say(ana(), "one", NOW, room=room(simulated))
    sent = exchange(simulated, text(), LATER, to="slack:T1/C1", thread=root, echo_key="cmd_1:0")
    assert _found(simulated, text(), to="slack:T1/C1", thread=root, echo_key="cmd_1:0").value == sent.value != []


def test_a_file_is_found_by_its_name(simulated: Workspace) -> None:
    """It carries no key. That of somebody else is not ours."""
    sent = exchange(simulated, FILE, to="slack:T1/D1", echo_key="cmd_1:0").value
    assert _found(simulated, FILE, to="slack:T1/D1").value == sent
    other = {"kind": "message", "parts": [{"type": "image", "media": {"stored": "a", "size": 5, "filename": "b.png"}}]}
    assert _found(simulated, other, to="slack:T1/D1").value == []


def test_a_step_of_several(simulated: Workspace) -> None:
    both = {"kind": "message", "parts": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}
    exchange(simulated, both, to="slack:T1/D1", echo_key="cmd_1:0")
    assert _found(simulated, both, to="slack:T1/D1", step=1, echo_key="cmd_1:1").value == []
    assert _found(simulated, both, to="slack:T1/D1", step=2, echo_key="cmd_1:2").calls == []


@pytest.mark.parametrize(
    "body",
    [
        {"kind": "edit", "target": "D1:1764000000.000100", "parts": [{"type": "text", "text": "x"}]},
        {"kind": "revoke", "target": "D1:1764000000.000100"},
        {"kind": "reaction", "target": "D1:1764000000.000100", "emoji": "👍"},
    ],
)
def test_what_may_be_done_twice_is_not_looked_for(simulated: Workspace, body: dict[str, Any]) -> None:
    found = _found(simulated, body, to="slack:T1/D1")
    assert (found.calls, list(found.value or ())) == ([], [])


def test_it_is_looked_for_since_a_moment_before() -> None:
    """Our clock and theirs differ."""
    found = _told([{"status": 200, "json": {"ok": True, "messages": []}}], text(), to="slack:T1/D1")
    (call,) = found.calls
    assert isinstance(call, HttpCall)
    assert f"oldest={int((NOW - timedelta(seconds=60)).timestamp())}.000000" in call.body.decode()
    assert "include_all_metadata=true" in call.body.decode()


@pytest.mark.parametrize("name", ["missing_scope", "not_in_channel", "channel_not_found", "thread_not_found"])
def test_where_nothing_can_be_read_nothing_is_found(name: str) -> None:
    """And the channel goes on: messages need no permission to read."""
    found = _told([{"status": 200, "json": {"ok": False, "error": name}}], text(), to="slack:T1/D1")
    assert (found.error, list(found.value or ())) == (None, [])


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        ({"status": 200, "json": {"ok": False, "error": "token_revoked"}}, "credentials_refused"),
        ({"status": 200, "json": {"ok": False, "error": "internal_error"}}, "unavailable"),
        ({"status": 200, "body": "<html>"}, "no_answer"),
    ],
)
def test_whoever_does_not_say_is_asked_again(reply: dict[str, Any], code: str) -> None:
    error = _told([reply], text(), to="slack:T1/D1").error
    assert error is not None
    assert error.code == code


def test_to_be_slow_at_reading_holds_up_nobody_else() -> None:
    reply = {"status": 429, "headers": {"retry-after": "60"}, "json": {"ok": False, "error": "ratelimited"}}
    error = _told([reply], text(), to="slack:T1/D1").error
    assert isinstance(error, Throttled)
    assert (error.scope, error.retry_after_s) == ("recipient", 60.0)


def test_a_message_that_can_not_be_read_is_not_it() -> None:
    """Its neighbours are looked at all the same."""
    mine = {
        "ts": "1764000001.000100",
        "metadata": {"event_type": "throughline_message", "event_payload": {"echo_key": "k"}},
    }
    others = [7, None, {"ts": 1}, {"ts": "1764000001.000200", "metadata": "k"}, {**mine, "ts": None}]
    reply = {"status": 200, "json": {"ok": True, "messages": [*others, mine]}}
    found = _told([reply], text(), to="slack:T1/D1", echo_key="k")
    assert found.value == ["D1:1764000001.000100"]
    assert list(_told([reply], text(), to="slack:T1/D1", echo_key="").value or ()) == []
