"""Who the token belongs to, and what it may do."""

import pytest

from adapters.base import CallContext, NotReached, Reply
from adapters.slack import Slack
from adapters.slack.api import SCOPES
from tests.adapters.slack.support import CONFIG
from tests.kit import drive, given_reply
from tests.kit.cases import NOW, Answer

ADAPTER = Slack(CONFIG)
US = {"ok": True, "team_id": "T1", "user_id": "UBOT"}
ALL = {"X-OAuth-Scopes": ", ".join(sorted(SCOPES))}


@pytest.mark.parametrize(
    ("answer", "ok", "words"),
    [
        (given_reply({"status": 200, "json": US, "headers": ALL}), True, "UBOT"),
        (given_reply({"status": 200, "json": US}), True, "T1 answers"),
        (given_reply({"status": 200, "json": US, "headers": {"x-oauth-scopes": "chat:write"}}), False, "im:history"),
        (given_reply({"status": 200, "json": {**US, "team_id": "T2"}, "headers": ALL}), False, "of T2"),
        (
            given_reply({"status": 200, "json": {**US, "is_enterprise_install": True, "enterprise_id": "T1"}}),
            True,
            "T1",
        ),
        (given_reply({"status": 200, "json": {"ok": False, "error": "token_revoked"}}), False, "credentials_refused"),
        (Reply(200, {}, b"<html>"), False, "no_answer"),
        (Reply(503, {}, b""), False, "unavailable"),
    ],
)
def test_probe(answer: Answer, ok: bool, words: str) -> None:
    """In words for the operator."""
    driven = drive(ADAPTER.probe(CallContext(now=NOW)), [answer])
    assert driven.value is not None
    assert (driven.value.ok, words in driven.value.detail) == (ok, True), driven.value.detail


def test_nobody_there() -> None:
    """The transport's own trouble is the caller's."""
    driven = drive(ADAPTER.probe(CallContext(now=NOW)), [NotReached("refused")])
    assert (driven.error is not None) or (driven.value is not None and not driven.value.ok)
