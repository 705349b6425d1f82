"""What the fixtures can not say of events: what two deliveries of the same thing have in common."""

from typing import Any

import pytest

from normalizer.envelope import Edit, Envelope, MediaRef, Message, Text, Unsupported, Voice
from tests.adapters.slack.support import SUBJECT, callback, encoded, said


def _parsed(event: Any, **outer: Any) -> Envelope:
    (envelope,) = SUBJECT.adapter.parse(SUBJECT.raw(encoded(callback(event, **outer))))
    return envelope


def test_a_mention_is_one_message() -> None:
    """Two events with two ids: the same envelope, whichever comes first."""
    event = said("<@UBOT> hi", channel="C1", channel_type="channel")
    mention = {key: value for key, value in event.items() if key != "channel_type"} | {"type": "app_mention"}
    first, second = _parsed(event, event_id="Ev1"), _parsed(mention, event_id="Ev2")
    assert first.id == second.id
    assert first.dedupe_keys[0] == second.dedupe_keys[0]
    assert first.dedupe_keys[1] != second.dedupe_keys[1]
    assert (first.native_thread, first.observed) == (second.native_thread, second.observed)


def test_a_repeat_is_the_same() -> None:
    """Slack's own header of a repeat is not looked at: the first one may have been lost."""
    body = encoded(callback(said()))
    (first,) = SUBJECT.adapter.parse(SUBJECT.raw(body))
    (second,) = SUBJECT.adapter.parse(SUBJECT.raw(body, id="raw-2", beside={"x-slack-retry-num": "1"}))
    assert (first.id, first.dedupe_keys) == (second.id, second.dedupe_keys)


def test_two_microseconds_are_two_messages() -> None:
    """A ts is text: as a number it would lose its last digits."""
    ids = {_parsed(said(ts=f"1764000000.{n:06}")).external_id for n in range(20)}
    assert len(ids) == 20


def test_the_same_ts_in_two_channels() -> None:
    assert _parsed(said()).id != _parsed(said(channel="D2")).id


@pytest.mark.parametrize("key", ["user", "team", "text", "channel_type", "client_msg_id", "event_ts"])
def test_a_key_less_is_a_message_still(key: str) -> None:
    """Except for the text, nothing is needed beside channel and ts."""
    event = {name: value for name, value in said().items() if name != key}
    assert isinstance(_parsed(event).body, Message) is (key != "text")


def test_a_clip_is_written_down_a_moment_later() -> None:
    """The message comes again with what is said in its clip: that is an edit, and so it is only once."""
    clip = {"id": "F1", "subtype": "slack_audio", "mimetype": "audio/mp4"}
    told = {**clip, "transcription": {"status": "complete", "preview": {"content": "Hello"}}}
    before, after = (said("", subtype="file_share", files=[file]) for file in (clip, told))
    changed = {"type": "message", "subtype": "message_changed", "channel": "D1", "ts": "1764000009.000200"}
    body = _parsed({**changed, "message": after, "previous_message": before}).body
    assert isinstance(body, Edit)
    assert body.parts == (Voice(MediaRef(external_id="F1", mime="audio/mp4"), "Hello"),)
    unchanged = _parsed({**changed, "message": after, "previous_message": after}).body
    assert isinstance(unchanged, Unsupported)


# --- the end of an installation -----------------------------------------------------------------------------------


def _failures(event: dict[str, Any], **outer: Any) -> list[str]:
    body = _parsed(event, **outer).body
    assert isinstance(body, Unsupported)
    assert (body.what, body.visible) == (event["type"], False)
    return [failure.code for failure in body.failures]


@pytest.mark.parametrize(
    ("tokens", "ours"),
    [
        ({"oauth": ["U7"], "bot": ["UBOT"]}, True),
        ({"oauth": ["U7"], "bot": []}, False),
        ({"oauth": [], "bot": ["UOTHER"]}, False),
        ({"oauth": ["U7"]}, True),
        ({"oauth": [], "bot": "UBOT"}, True),
        ({}, True),
        (None, True),
    ],
)
def test_only_our_own_token_is_an_alarm(tokens: Any, ours: bool) -> None:
    """People take theirs back now and then. What can not be read is one, too: it will be asked."""
    event = {"type": "tokens_revoked", "tokens": tokens, "event_ts": "1764000000.000100"}
    assert _failures(event) == ["credentials_refused"] * ours


def test_without_knowing_who_we_are_any_bot_is_us() -> None:
    event = {"type": "tokens_revoked", "tokens": {"oauth": [], "bot": ["UOTHER"]}}
    assert _failures(event, authorizations=[]) == ["credentials_refused"]


def test_the_app_was_removed() -> None:
    """It is told without saying where from, and comes before or after its tokens."""
    event = {"type": "app_uninstalled"}
    assert _failures(event, authorizations=[], team_id=None, api_app_id=None) == ["credentials_refused"]
    assert _parsed(event, authorizations=[], team_id=None).account == "T1"


@pytest.mark.parametrize(("teams", "ours"), [(["T1"], True), (["T5"], False), ([], True), (None, True)])
def test_a_workspace_that_leaves_an_installation(teams: Any, ours: bool) -> None:
    assert _failures({"type": "team_access_revoked", "team_ids": teams}) == ["credentials_refused"] * ours


# --- blocks -------------------------------------------------------------------------------------------------------


def _mentioned(text: str) -> list[dict[str, Any]]:
    section = {
        "type": "rich_text_section",
        "elements": [{"type": "user", "user_id": "UBOT"}, {"type": "text", "text": text}],
    }
    return [{"type": "rich_text", "elements": [section]}]


def test_a_mention_in_blocks_alone_is_to_us() -> None:
    event = said("", channel="C1", channel_type="channel", blocks=_mentioned(" hi"))
    envelope = _parsed(event)
    assert (envelope.body, envelope.observed) == (Message(parts=(Text("hi"),)), False)


def test_an_edit_of_blocks_alone() -> None:
    before, after = said("", blocks=_mentioned(" hi")), said("", blocks=_mentioned(" ho"))
    changed = {"type": "message", "subtype": "message_changed", "channel": "D1", "channel_type": "im",
               "ts": "1764000009.000200", "message": after, "previous_message": before}  # fmt: skip
    body = _parsed(changed).body
    assert isinstance(body, Edit)
    assert body.parts == (Text("ho"),)
    assert isinstance(_parsed({**changed, "message": before}).body, Unsupported)
