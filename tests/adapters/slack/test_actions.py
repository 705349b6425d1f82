"""What was chosen."""

import json
from typing import Any

import msgspec
import pytest

from adapters.slack import wire
from adapters.slack.actions import choice_of
from normalizer.envelope import ChoiceMade, Envelope, Message, ReplyTo, Text, Unsupported
from normalizer.ids import ExternalId
from tests.adapters.slack.support import CONFIG, SUBJECT, encoded
from tests.kit import Subject


@pytest.mark.parametrize(
    ("action", "want"),
    [
        ({"action_id": "a", "value": "v", "text": {"text": "Yes"}}, ChoiceMade("v", "Yes")),
        ({"action_id": "a"}, ChoiceMade("a", "a")),
        ({"action_id": "a", "selected_option": {"value": "v"}}, ChoiceMade("v", "v")),
        ({"action_id": "a", "selected_option": {"text": {"text": "Yes"}}}, ChoiceMade("a", "Yes")),
        ({"action_id": "a", "selected_options": []}, ChoiceMade("a", "", form='{"a":[]}')),
        ({"action_id": "a", "selected_time": "12:30"}, ChoiceMade("a", "12:30")),
        ({"action_id": "a", "selected_date_time": 1764000000}, ChoiceMade("a", "1764000000")),
        ({"action_id": "a", "selected_user": "U2"}, ChoiceMade("a", "U2")),
        ({"action_id": "a", "selected_conversation": "C2"}, ChoiceMade("a", "C2")),
        ({"action_id": "a", "selected_users": ["U1", "U2"]}, ChoiceMade("a", "U1, U2", form='{"a":["U1","U2"]}')),
        ({"action_id": "a", "selected_conversations": ["C2"]}, ChoiceMade("a", "C2", form='{"a":["C2"]}')),
        ({"selected_option": {}}, None),
        ({"selected_options": []}, None),
        ({}, None),
    ],
)
def test_choice_of(action: dict[str, object], want: ChoiceMade | None) -> None:
    """By the value, else by the action's own name."""
    found, _ = wire.read_action(json.dumps(action).encode())
    assert found is not None
    assert choice_of(found) == want


def test_a_form_is_for_the_installation_that_showed_it() -> None:
    """With Slack Connect the outer team is the other side's."""
    view = {"id": "V1", "callback_id": "f", "app_installed_team_id": "T5"}
    click = {"type": "view_submission", "team": {"id": "T9"}, "user": {"id": "U9"}, "view": view}
    (envelope,) = SUBJECT.adapter.parse(SUBJECT.raw(encoded(click)))
    assert (envelope.account, str(envelope.party.address)) == ("T5", "slack:T9/U9")


def test_a_form_of_a_whole_organization() -> None:
    """The view may name the workspace that it was shown in."""
    view = {"id": "V1", "callback_id": "f", "app_installed_team_id": "T5"}
    click = {"type": "view_submission", "user": {"id": "U9"}, "view": view}
    org = msgspec.structs.replace(CONFIG, team_id="E1")
    subject = Subject(SUBJECT.registration, org, SUBJECT.sign, SUBJECT.secrets)
    for whole, account in ((True, "E1"), (False, "T5")):
        told = {**click, "is_enterprise_install": whole, "enterprise": {"id": "E1"}}
        (envelope,) = subject.adapter.parse(subject.raw(encoded(told)))
        assert envelope.account == account


def _shortcut(**more: Any) -> Envelope:
    told = {"type": "shortcut", "callback_id": "ask_us", "trigger_id": "1.2.a", "action_ts": "1764000010.000001",
            "team": {"id": "T1"}, "user": {"id": "U1", "team_id": "T1"}}  # fmt: skip
    (envelope,) = SUBJECT.adapter.parse(SUBJECT.raw(encoded({**told, **more})))
    return envelope


def test_a_shortcut_is_a_choice_and_between_him_and_us() -> None:
    envelope = _shortcut()
    assert envelope.body == Message(parts=(ChoiceMade("ask_us", "ask_us"),))
    assert (str(envelope.party.address), envelope.group) == ("slack:T1/U1", None)
    assert (envelope.dedupe_keys, envelope.observed) == (("shortcut:1.2.a",), False)


def test_one_below_a_message_passes_it_on() -> None:
    """The app need not be where it was said."""
    said = {"type": "message", "user": "U2", "text": "it is &lt;broken&gt;", "ts": "1764000000.000100"}
    envelope = _shortcut(type="message_action", channel={"id": "C9"}, message=said, message_ts=said["ts"])
    assert envelope.body == Message(
        parts=(ChoiceMade("ask_us", "ask_us"), Text("it is <broken>")),
        reply_to=ReplyTo(ExternalId("C9:1764000000.000100")),
        forwarded=True,
    )
    assert (envelope.group, envelope.native_thread) == (None, None)


@pytest.mark.parametrize("missing", [{"callback_id": None}, {"user": None}])
def test_a_shortcut_of_nobody_or_for_nothing_is_kept(missing: dict[str, Any]) -> None:
    body = _shortcut(**missing).body
    assert isinstance(body, Unsupported)
    assert not body.visible


def test_the_same_button_twice_is_two_answers() -> None:
    """Each has its own time; a redelivery has the same."""
    keys = set()
    for at in ("1764000010.000001", "1764000011.000001", "1764000011.000001"):
        action = {"type": "button", "action_id": "a", "value": "v", "action_ts": at}
        click = {"type": "block_actions", "user": {"id": "U1"}, "container": {"message_ts": "1.1"}, "actions": [action]}
        (envelope,) = SUBJECT.adapter.parse(SUBJECT.raw(encoded(click)))
        assert isinstance(envelope.body, Message)
        keys |= {*envelope.dedupe_keys}
    assert len(keys) == 2
