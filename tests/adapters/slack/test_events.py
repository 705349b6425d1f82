"""What the fixtures can not say of events: what two deliveries of the same thing have in common."""

from typing import Any

import pytest

from normalizer.envelope import Envelope, Message
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
