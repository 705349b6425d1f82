"""The short form of each channel's run: every type once, and a few kills. `make chaos` is the whole of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos.channels.__main__ import tell, tell_every
from tests.chaos.channels.every import play
from tests.chaos.channels.lines import LINES
from tests.chaos.channels.run import Plan, conduct

pytestmark = pytest.mark.timeout(300)
KILLS = 2
SECOND_WAYS = ("sms_http", "mail_postmark", "mail_sendgrid", "mail_mailgun", "mail_ses", "slack_socket")
"""Another way into a channel that is killed here anyway."""
CHANNELS = [pytest.param(name, marks=pytest.mark.slow) if name in SECOND_WAYS else name for name in LINES]


@pytest.mark.parametrize("channel", CHANNELS)
def test_every_type_becomes_an_envelope_and_is_answered(channel: str, tmp_path: Path) -> None:
    played = play(Plan(folder=tmp_path, kills=0, seed=1, settle_s=60), LINES[channel])
    assert tell_every(channel, played), played.wrong
    assert played.line.record.heard


@pytest.mark.parametrize("channel", CHANNELS)
def test_kills(channel: str, tmp_path: Path) -> None:
    outcome = conduct(Plan(folder=tmp_path, kills=KILLS, seed=3, work=10, patient=False), LINES[channel])
    assert tell(channel, outcome), (outcome.lives.wrong, outcome.found.wrong)
    assert outcome.lives.kills == KILLS
    assert outcome.found.stored + outcome.found.missing == len(outcome.line.record.said)
    assert outcome.found.stored > 0
    assert outcome.found.answers > 0
