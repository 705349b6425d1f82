"""What the simulated API refuses, and what the adapter makes of it."""

import json
from datetime import datetime, timedelta
from typing import Any

import pytest

from adapters.base import CallContext, Reply, Request
from adapters.slack import Slack
from adapters.slack.simulator import Workspace
from adapters.slack.simulator_api import SLOW_HEADER
from adapters.slack.simulator_world import StoredFile
from normalizer.envelope import Message, Text
from tests.adapters.slack.simulated import (
    ADAPTER,
    LATER,
    ana,
    call,
    envelopes,
    exchange,
    on_the_wire,
    room,
    text,
    workspace,
)
from tests.adapters.slack.support import CONFIG, SUBJECT
from tests.kit import drive
from tests.kit.cases import NOW


def _known(**switches: Any) -> Workspace:
    simulated = workspace(**switches)
    simulated.say(ana(), "hi", NOW)
    envelopes(simulated)
    return simulated


def _outcome(simulated: Workspace, body: dict[str, Any] | None = None, **facts: Any) -> tuple[str, str | None]:
    error = exchange(simulated, body or text(), **facts).error
    return (type(error).__name__, error.provider_code) if error else ("sent", None)


def test_it_sends() -> None:
    assert _outcome(_known()) == ("sent", None)


@pytest.mark.parametrize(
    ("fault", "outcome", "certain"),
    [
        ("429", ("Throttled", "ratelimited"), True),
        ("503", ("Unavailable", "service_unavailable"), True),
        ("html", ("Unavailable", None), False),
        ("empty", ("NoAnswer", None), False),
        ("invalid_auth", ("CredentialsRefused", "invalid_auth"), True),
        ("internal_error", ("Unavailable", "internal_error"), False),
    ],
)
def test_told_to_fail(fault: str, outcome: tuple[str, str | None], certain: bool) -> None:
    """Once each; the next call goes through."""
    simulated = _known(faults=[fault])
    driven = exchange(simulated, text())
    assert driven.error is not None
    assert ((type(driven.error).__name__, driven.error.provider_code), driven.error.certain) == (outcome, certain)
    assert _outcome(simulated) == ("sent", None)


@pytest.mark.parametrize(("fault", "delay"), [("slow", "30"), ("lost", "never")])
def test_answers_that_are_held_back(fault: str, delay: str) -> None:
    """It is done all the same."""
    simulated = _known(faults=[fault])
    headers = {"authorization": f"Bearer {simulated.world.bot_token}", "content-type": "application/json"}
    body = json.dumps({"channel": "D1", "text": "x"}).encode()
    request = Request(method="POST", url="https://slack.com/api/chat.postMessage", headers=headers, body=body)
    assert simulated.answer(request, NOW).headers[SLOW_HEADER] == delay
    assert len(simulated.world.said) == 2


@pytest.mark.parametrize(
    ("facts", "error"),
    [
        ({"has_app": False}, "not_in_channel"),
        ({"is_archived": True}, "is_archived"),
    ],
)
def test_rooms_that_are_closed(facts: dict[str, Any], error: str) -> None:
    simulated = workspace()
    room(simulated, **facts)
    assert _outcome(simulated, to="slack:T1/C1") == ("Unreachable", error)


def test_rooms_and_people_that_are_not_there() -> None:
    assert _outcome(workspace(), to="slack:T1/C5") == ("Unreachable", "channel_not_found")
    assert _outcome(workspace(), to="slack:T1/U5") == ("Unreachable", "channel_not_found")
    media = {"kind": "message", "parts": [{"type": "image", "media": {"stored": "a", "size": 5}}]}
    assert _outcome(workspace(), media, to="slack:T1/U5") == ("Unreachable", "user_not_found")
    assert _outcome(_known(), to="slack:T1/D1", thread="1.000001") == ("Refused", "thread_not_found")


def test_tokens_and_permissions() -> None:
    """Each says what is wrong."""
    simulated = _known()
    assert call(simulated, "chat.postMessage", token="xoxb-other")["error"] == "invalid_auth"
    request = Request(method="POST", url="https://slack.com/api/auth.test")
    assert json.loads(simulated.answer(request, NOW).body)["error"] == "not_authed"
    simulated.world.scopes = frozenset()
    assert _outcome(simulated) == ("CredentialsRefused", "missing_scope")
    simulated.uninstall(NOW)
    assert _outcome(simulated) == ("ChannelBlocked", "account_inactive")


def test_what_is_no_method_and_no_json() -> None:
    simulated = _known()
    assert call(simulated, "chat.dance")["error"] == "unknown_method"
    url, headers = "https://slack.com/api/chat.postMessage", {"authorization": f"Bearer {simulated.world.bot_token}"}
    for body, error in ((b"{", "invalid_json"), (b"[]", "json_not_object")):
        request = Request(method="POST", url=url, headers={**headers, "content-type": "application/json"}, body=body)
        assert json.loads(simulated.answer(request, NOW).body)["error"] == error
    assert simulated.answer(Request(method="GET", url="https://elsewhere.example/api/auth.test"), NOW).status == 404


def test_reading_methods_do_not_understand_json() -> None:
    """As in life; the adapter asks them by form."""
    simulated = _known()
    assert call(simulated, "conversations.history", channel="D1")["error"] == "channel_not_found"
    assert call(simulated, "files.getUploadURLExternal", filename="a", length=1)["error"] == "invalid_arguments"


def test_one_message_a_second() -> None:
    """After a short burst; another conversation is not affected."""
    simulated = _known(burst=3)
    room(simulated)
    assert [_outcome(simulated) for _ in range(3)] == [("sent", None)] * 3
    refused = exchange(simulated, text()).error
    assert refused is not None
    assert (type(refused).__name__, refused.retry_after_s) == ("Throttled", 1.0)
    assert _outcome(simulated, to="slack:T1/C1") == ("sent", None)
    assert exchange(simulated, text(), NOW + timedelta(seconds=1)).error is None


def test_what_is_not_ours_stays() -> None:
    """The customer's words can be neither edited nor deleted."""
    simulated = _known()
    ((channel, ts),) = simulated.world.said
    target = f"{channel}:{ts}"
    edit = {"kind": "edit", "target": target, "parts": [{"type": "text", "text": "x"}]}
    assert _outcome(simulated, edit) == ("Refused", "cant_update_message")
    assert _outcome(simulated, {"kind": "revoke", "target": target}) == ("Refused", "cant_delete_message")
    gone = {"kind": "edit", "target": f"{channel}:1764000000.000100", "parts": [{"type": "text", "text": "x"}]}
    assert _outcome(simulated, gone) == ("Refused", "message_not_found")


def test_reactions_there_and_back() -> None:
    """Twice is once, and only ours is taken back."""
    simulated = _known()
    ((channel, ts),) = simulated.world.said
    simulated.react(ana(), simulated.world.rooms[channel], ts, "eyes", NOW)
    add = {"kind": "reaction", "target": f"{channel}:{ts}", "emoji": "👀"}
    assert [_outcome(simulated, add) for _ in range(2)] == [("sent", None)] * 2
    assert simulated.world.said[channel, ts].reactions == {"eyes": ["U1", "UBOT"]}
    assert _outcome(simulated, {"kind": "reaction", "target": f"{channel}:{ts}"}) == ("sent", None)
    assert simulated.world.said[channel, ts].reactions == {"eyes": ["U1"]}


# --- history ------------------------------------------------------------------------------------------------------


def _pulled(simulated: Workspace, cursor: str | None, now: datetime) -> tuple[list[str | None], str]:
    """All pages, by the ids of what they tell."""
    ids: list[str | None] = []
    for _ in range(50):
        flow = Slack(CONFIG).pull("history/C1", cursor, CallContext(now=now))
        driven = drive(flow, lambda call: simulated.answer(on_the_wire(call), now))
        assert driven.error is None
        assert driven.value is not None
        raws = [SUBJECT.raw(item.body, origin="pulled") for item in driven.value.items]
        ids += [e.external_id or e.dedupe_keys[0] for raw in raws for e in ADAPTER.parse(raw)]
        cursor = driven.value.cursor
        if not driven.value.more:
            return ids, cursor
    raise AssertionError("it never ends")


@pytest.mark.parametrize("page", [1, 2, 200])
def test_an_outage_is_made_good(page: int) -> None:
    """Messages, replies in old threads, edits and our own; however many pages it takes, and only once."""
    simulated = workspace(page=page)
    channel = room(simulated)
    old = simulated.say(ana(), "<@UBOT> old", NOW - timedelta(hours=1), room=channel)
    _, cursor = _pulled(simulated, None, NOW)
    said = [simulated.say(ana(), str(n), NOW + timedelta(seconds=n + 1), room=channel) for n in range(5)]
    reply = simulated.say(ana(), "any news?", NOW + timedelta(seconds=10), room=channel, thread=old)
    simulated.edit(channel, said[0], "0!", NOW + timedelta(seconds=11))
    sent = exchange(simulated, text(), NOW + timedelta(seconds=12), to="slack:T1/C1")
    assert sent.value is not None
    ids, cursor = _pulled(simulated, cursor, NOW + timedelta(minutes=5))
    edited = simulated.world.said["C1", said[0]].edited
    expected = {f"C1:{ts}" for ts in (*said, reply)} | {f"edit:C1:{said[0]}:{edited}", f"sent:{sent.value[0]}"}
    assert set(ids) == expected
    assert len(ids) == len(expected)
    assert _pulled(simulated, cursor, NOW + timedelta(minutes=10))[0] == []


def test_what_was_pulled_is_named_like_what_was_told() -> None:
    simulated = workspace()
    channel = room(simulated)
    _, cursor = _pulled(simulated, None, NOW)
    simulated.say(ana(), "hi", LATER, room=channel)
    (told,) = envelopes(simulated, LATER)
    assert told.body == Message(parts=(Text("hi"),))
    assert _pulled(simulated, cursor, LATER + timedelta(minutes=1))[0] == [told.external_id]


# --- files --------------------------------------------------------------------------------------------------------


def _download(simulated: Workspace, file: StoredFile, token: str | None = None) -> Reply:
    simulated.world.files[file.id] = file
    headers = {"authorization": f"Bearer {token or simulated.world.bot_token}"}
    return simulated.answer(Request(method="GET", url=simulated.world.file_url(file.id), headers=headers), NOW)


def test_downloads() -> None:
    """With the token the bytes; without it, or without the permission, a page to log in."""
    simulated, file = workspace(), StoredFile("F1", "a.png", "image/png", b"12345")
    assert _download(simulated, file).body == b"12345"
    assert _download(simulated, file, "wrong").headers["content-type"].startswith("text/html")
    simulated.world.scopes = frozenset()
    assert _download(simulated, file).status == 200
    assert b"Sign in" in _download(simulated, file).body
    gone = StoredFile("F2", "a", "x/y", is_gone=True)
    assert _download(workspace(), gone).status == 404
    moved = StoredFile("F3", "a", "x/y", redirect="https://cdn.example/a")
    assert _download(workspace(), moved).headers["location"] == "https://cdn.example/a"


@pytest.mark.parametrize("asks_first", [True, False])
def test_files_info(asks_first: bool) -> None:
    """Tells the whole file; of one that is gone that it is gone."""
    simulated = workspace()
    simulated.say(ana(), "", NOW, files=(StoredFile("F1", "a.png", "image/png", b"12345", asks_first=asks_first),))
    described = simulated.world.described("F1", whole=True)
    assert (described["size"], [*described["shares"]["private"]]) == (5, ["D1"])
    simulated.world.files["F1"].is_gone = True
    url, token = f"{simulated.world.api_url}/files.info", simulated.world.bot_token
    headers = {"authorization": f"Bearer {token}", "content-type": "application/x-www-form-urlencoded"}
    reply = simulated.answer(Request(method="POST", url=url, headers=headers, body=b"file=F1"), NOW)
    assert json.loads(reply.body)["error"] == "file_deleted"


def test_an_upload_must_be_whole() -> None:
    """Completing what was never uploaded, or what nobody promised."""
    simulated = _known()
    for files in ([{"id": "F5"}], [], None):
        assert not call(simulated, "files.completeUploadExternal", channel_id="D1", files=files)["ok"]
    assert simulated.answer(Request(method="POST", url="https://slack.com/upload/F5", body=b"x"), NOW).status == 400
