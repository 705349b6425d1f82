"""For which installation a request is, and how its envelopes are named."""

from typing import Any

import pytest
from msgspec import Raw

from adapters.slack import wire
from adapters.slack.delivery import Delivery, House
from adapters.slack.parse import parse
from normalizer.address import parse_address
from normalizer.envelope import Typing
from tests.adapters.slack.support import SUBJECT, TEAM, callback, encoded, said

RAW = SUBJECT.raw(b"{}")


def _delivery(house: House | None = None, **outer: Any) -> Delivery:
    found, _ = wire.read_outer(encoded(outer))
    assert found is not None
    return Delivery(RAW, house or House("T1", "UBOT"), Raw(b"{}"), found)


@pytest.mark.parametrize(
    ("outer", "account", "user"),
    [
        ({"authorizations": [{"team_id": "T2", "user_id": "U2", "is_bot": True}]}, "T2", "U2"),
        ({"authorizations": [{"team_id": None, "enterprise_id": "E2", "user_id": "U2"}]}, "E2", "U2"),
        ({"authorizations": [{"team_id": "T2", "user_id": "U2", "is_bot": False}]}, "T2", "UBOT"),
        ({"authorizations": [None, {}, {"team_id": "T3"}], "team_id": "T9"}, "T3", "UBOT"),
        ({"authorizations": [], "context_team_id": "T4", "team_id": "T9"}, "T4", "UBOT"),
        ({"team_id": "T9"}, "T1", "UBOT"),
        ({"authorizations": [{"team_id": "T2", "user_id": "U2"}, {"team_id": "T1", "user_id": "U1"}]}, "T1", "U1"),
        ({"authorizations": [{"team_id": "T2", "enterprise_id": "E2", "is_enterprise_install": True}]}, "T2", "UBOT"),
    ],
)
def test_installation(outer: dict[str, Any], account: str, user: str) -> None:
    """The outermost team may be the one that the event came from."""
    delivery = _delivery(**outer)
    assert (delivery.account, delivery.our_user) == (account, user)


@pytest.mark.parametrize(
    "outer",
    [
        {"authorizations": [{"team_id": None, "enterprise_id": "E1", "is_enterprise_install": True}]},
        {"authorizations": [{"team_id": "T2", "enterprise_id": "E1", "is_enterprise_install": True}]},
        {"authorizations": [], "context_team_id": "T2", "context_enterprise_id": "E1"},
        {},
    ],
)
def test_a_whole_organization(outer: dict[str, Any]) -> None:
    """Whichever of its workspaces is told beside it."""
    assert _delivery(House("E1", "UBOT"), **outer).account == "E1"


@pytest.mark.parametrize(
    ("document", "account"),
    [
        (callback(said()), TEAM),
        (callback(said(), authorizations=[], team_id="T9"), "T9"),
        ({"type": "app_rate_limited", "team_id": "T9"}, "T9"),
        ({"type": "app_rate_limited"}, None),
        ({"type": "shortcut", "callback_id": "help", "user": {"id": "U1"}, "team": {"id": "T9"}}, "T9"),
        ({"command": "/help", "user_id": "U1", "team_id": "T9"}, "T9"),
    ],
)
def test_settings_that_name_no_workspace(document: dict[str, Any], account: str | None) -> None:
    """It is the one that the request names; none, rather than one without a name."""
    (envelope,) = parse(SUBJECT.raw(encoded(document)), House(""))
    assert envelope.account == account


def test_a_button_in_a_channel_of_a_workspace_that_no_setting_names() -> None:
    """What is said in a channel stays in the channel."""
    container = {"type": "message", "message_ts": "1764000000.000100", "channel_id": "C1"}
    action = {"action_id": "yes", "value": "v1", "action_ts": "1764000010.000001"}
    click = {"type": "block_actions", "user": {"id": "U1"}, "team": {"id": "T9"}, "container": container}
    (envelope,) = parse(SUBJECT.raw(encoded({**click, "actions": [action]})), House(""))
    assert envelope.group == parse_address("slack:T9/C1")


def test_names() -> None:
    """By what it is about, by its event id, else by the intake row and the place in it."""
    named = _delivery(event_id="Ev1").envelope(Typing(), key="message:C1:1.1")
    assert named.dedupe_keys == ("message:C1:1.1", "Ev1")
    assert _delivery().envelope(Typing(), key="message:C1:1.1").id == named.id
    assert _delivery(event_id="Ev1").envelope(Typing()).dedupe_keys == ("Ev1",)
    nameless = _delivery()
    first, second = nameless.envelope(Typing()), nameless.envelope(Typing())
    assert first.dedupe_keys == ()
    assert first.id != second.id
