"""How what is told arrives: in time, again, twice, in another order, and over sockets."""

import json
from datetime import timedelta

import pytest

from adapters.slack.simulator import Workspace
from adapters.slack.simulator_delivery import SOCKETS_MAX, Socket
from tests.adapters.slack.simulated import LATER, ana, call, envelopes, workspace
from tests.adapters.slack.support import APP_TOKEN
from tests.kit.cases import NOW

SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)


def test_what_is_taken_is_told_once() -> None:
    simulated = workspace()
    simulated.say(ana(), "hi", NOW)
    assert simulated.next_due() == NOW
    assert len(envelopes(simulated)) == 1
    assert simulated.due(LATER) == []
    assert (simulated.undelivered, simulated.next_due()) == (0, None)


def test_what_is_not_taken_comes_three_times_more() -> None:
    """At once, after a minute, after five more; under the same event id, with Slack's own headers."""
    simulated = workspace()
    simulated.say(ana(), "hi", NOW)
    (first,) = simulated.due(NOW)
    simulated.delivered(first, 500, NOW)
    (second,) = simulated.due(NOW)
    assert (second.headers["x-slack-retry-num"], second.headers["x-slack-retry-reason"]) == ("1", "http_error")
    assert second.body == first.body
    assert simulated.due(NOW + 3 * SECOND) == []
    assert simulated.due(NOW + 4 * SECOND) == []
    (third,) = simulated.due(NOW + 3 * SECOND + MINUTE)
    assert (third.headers["x-slack-retry-num"], third.headers["x-slack-retry-reason"]) == ("2", "http_timeout")
    (fourth,) = simulated.due(NOW + 6 * SECOND + 6 * MINUTE)
    simulated.delivered(fourth, 503)
    assert simulated.due(NOW + timedelta(hours=1)) == []
    assert [one["event"]["text"] for one in simulated.line.lost] == ["hi"]


def test_an_answer_after_three_seconds_is_none() -> None:
    """The repeat is on its way while we still work."""
    simulated = workspace()
    simulated.say(ana(), "hi", NOW)
    (first,) = simulated.due(NOW)
    simulated.delivered(first, 200, NOW + timedelta(seconds=3.1))
    (again,) = simulated.due(NOW + timedelta(seconds=3.1))
    assert again.headers["x-slack-retry-reason"] == "http_timeout"
    simulated.delivered(again, 200, NOW + timedelta(seconds=3.2))
    assert simulated.undelivered == 0


def test_twice_and_backwards() -> None:
    """Each duplicate is answered for itself."""
    simulated = workspace(duplicates=True, reorder=True)
    simulated.say(ana(), "old", NOW)
    simulated.say(ana(), "new", LATER)
    requests = simulated.due(LATER)
    assert [json.loads(r.body)["event"]["text"] for r in requests] == ["new", "new", "old", "old"]
    for request in requests:
        simulated.delivered(request, 200)
    assert simulated.undelivered == 0


# --- sockets ------------------------------------------------------------------------------------------------------


def _open(simulated: Workspace, count: int = 1) -> list[Socket]:
    simulated.world.socket_mode = True
    sockets = []
    for _ in range(count):
        socket = simulated.line.connect(call(simulated, "apps.connections.open", token=APP_TOKEN)["url"])
        assert socket is not None
        assert json.loads(simulated.line.frames(socket, NOW)[0])["type"] == "hello"
        sockets.append(socket)
    return sockets


def test_opening_a_socket() -> None:
    """With the app's own token, when it is switched on; each address is good once."""
    simulated = workspace()
    assert call(simulated, "apps.connections.open", token=APP_TOKEN)["error"] == "socket_mode_not_enabled"
    assert call(simulated, "apps.connections.open")["error"] == "invalid_auth"
    simulated.world.socket_mode = True
    url = call(simulated, "apps.connections.open", token=APP_TOKEN)["url"]
    assert simulated.line.connect(url) is not None
    assert simulated.line.connect(url) is None
    assert simulated.line.connect("wss://evil.example/?ticket=1") is None


def test_an_envelope_is_acknowledged_where_it_came() -> None:
    """On another connection the acknowledgement means nothing."""
    simulated = workspace()
    one, two = _open(simulated, 2)
    simulated.say(ana(), "hi", NOW)
    assert simulated.due(NOW) == []
    (frame,) = simulated.line.frames(one, NOW)
    envelope = json.loads(frame)
    assert (envelope["type"], envelope["retry_attempt"], envelope["accepts_response_payload"]) == (
        "events_api", 0, False,
    )  # fmt: skip
    assert envelope["payload"]["event"]["text"] == "hi"
    for odd in ("junk", "[]", "{}", '{"envelope_id":"9"}'):
        simulated.line.heard(one, odd)
    simulated.line.heard(two, json.dumps({"envelope_id": envelope["envelope_id"]}))
    assert simulated.undelivered == 1
    simulated.line.heard(one, json.dumps({"envelope_id": envelope["envelope_id"]}))
    assert simulated.undelivered == 0


def test_each_envelope_goes_to_one_socket() -> None:
    """No broadcast: they take turns."""
    simulated = workspace()
    one, two = _open(simulated, 2)
    for number in range(4):
        simulated.say(ana(), str(number), NOW + number * SECOND)
    told = [simulated.line.frames(socket, LATER) for socket in (one, two)]
    texts = [[json.loads(frame)["payload"]["event"]["text"] for frame in frames] for frames in told]
    assert texts == [["0", "2"], ["1", "3"]]


def test_what_is_not_acknowledged_comes_again() -> None:
    """Three times, then it is lost."""
    simulated = workspace()
    (socket,) = _open(simulated)
    simulated.say(ana(), "hi", NOW)
    attempts = []
    for seconds in (0, 4, 70, 500, 900):
        frames = simulated.line.frames(socket, NOW + seconds * SECOND)
        attempts += [json.loads(frame)["retry_attempt"] for frame in frames]
    assert attempts == [0, 1, 2, 3]
    assert len(simulated.line.lost) == 1


def test_a_socket_that_goes_leaves_its_envelopes_to_another() -> None:
    """It is warned while some are in flight; these it may still acknowledge, new ones it does not get."""
    simulated = workspace()
    one, two = _open(simulated, 2)
    simulated.say(ana(), "first", NOW)
    (frame,) = simulated.line.frames(one, NOW)
    simulated.line.disconnect(one, "warning")
    simulated.say(ana(), "second", NOW)
    assert [json.loads(one_)["type"] for one_ in simulated.line.frames(one, NOW)] == ["disconnect"]
    (other,) = simulated.line.frames(two, NOW)
    assert json.loads(other)["payload"]["event"]["text"] == "second"
    simulated.line.closed(one, NOW)
    (again,) = simulated.line.frames(two, NOW)
    assert json.loads(again)["payload"] == json.loads(frame)["payload"]
    assert json.loads(again)["retry_attempt"] == 1


@pytest.mark.parametrize("reason", ["refresh_requested", "link_disabled"])
def test_reasons_to_go(reason: str) -> None:
    simulated = workspace()
    (socket,) = _open(simulated)
    simulated.line.disconnect(socket, reason)
    (frame,) = simulated.line.frames(socket, NOW)
    assert json.loads(frame)["reason"] == reason


def test_there_are_ten_sockets_at_most() -> None:
    simulated = workspace()
    _open(simulated, SOCKETS_MAX)
    url = call(simulated, "apps.connections.open", token=APP_TOKEN)["url"]
    one_more = simulated.line.connect(url)
    assert one_more is not None
    (frame,) = simulated.line.frames(one_more, NOW)
    assert json.loads(frame)["reason"] == "too_many_websockets"


def test_what_may_be_answered_says_so() -> None:
    """Commands and clicks over a socket."""
    simulated = workspace()
    (socket,) = _open(simulated)
    simulated.command(ana(), "/order", "7", NOW)
    (frame,) = simulated.line.frames(socket, NOW)
    envelope = json.loads(frame)
    assert (envelope["type"], envelope["accepts_response_payload"]) == ("slash_commands", True)
    assert envelope["payload"]["command"] == "/order"
