"""What was chosen."""

import json

import pytest

from adapters.slack import wire
from adapters.slack.actions import choice_of
from normalizer.envelope import ChoiceMade, Message
from tests.adapters.slack.support import SUBJECT, encoded


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
