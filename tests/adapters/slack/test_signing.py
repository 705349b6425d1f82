"""Who is believed, and the requests that are answered at once."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from adapters.base import RawInbound, Reply, Unauthentic
from adapters.slack import Config, Slack
from tests.adapters.slack.support import (
    APP_TOKEN,
    OLD_SECRET,
    SECONDS,
    SECRET,
    SUBJECT,
    callback,
    encoded,
    said,
    signed,
)
from tests.kit import check_forged, check_refused, forged_body, forged_header
from tests.kit.cases import NOW, form

BODY = encoded(callback(said()))
STAMP, SIGNATURE = "x-slack-request-timestamp", "x-slack-signature"


def _raw(body: bytes = BODY, headers: dict[str, str] | None = None, **facts: Any) -> RawInbound:
    return SUBJECT.raw(body, headers=headers or signed(body), **facts)


@pytest.mark.parametrize(
    ("secret", "seconds", "body", "signature"),
    [
        (SECRET, "1531420618",
         b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V"
         b"&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text="
         b"&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554"
         b"%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c",
         "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"),
        (OLD_SECRET, "1764000000", b'{"type":"url_verification","challenge":"abc"}',
         "v0=7c48f88c9c9bb7b067ceae1c103777fb609cc7b00462deee31dc013e84ad73db"),
        (OLD_SECRET, "1764000000", b"payload=%7B%22type%22%3A%22block_actions%22%7D",
         "v0=a6269b7808175ffe2acc1d146f8b5fdbcc60502a11629b8ccc105fd98d601568"),
    ],
)  # fmt: skip
def test_known_signatures(secret: str, seconds: str, body: bytes, signature: str) -> None:
    """Those of Slack's documents and its SDK; ours, made for these tests, are the same."""
    assert signed(body, secret, seconds)[SIGNATURE] == signature
    at = NOW + timedelta(seconds=int(seconds) - int(SECONDS))
    raw = msgspec.structs.replace(_raw(body, signed(body, secret, seconds)), received_at=at)
    assert SUBJECT.adapter.verify(raw) is None or b"url_verification" in body


def test_almost_signed() -> None:
    """None of many ways to nearly sign is a signature."""
    good, later = _raw(), str(int(SECONDS) + 1)
    forged = {
        **forged_header(good, SIGNATURE),
        **forged_header(good, STAMP),
        **forged_body(good),
        "another secret": _raw(headers=signed(BODY, "another")),
        "the token as the secret": _raw(headers=signed(BODY, APP_TOKEN)),
        "another time": _raw(headers={**signed(BODY), STAMP: later}),
        "another version": _raw(headers={**signed(BODY), SIGNATURE: signed(BODY)[SIGNATURE].replace("v0", "v1")}),
        "without its version": _raw(headers={**signed(BODY), SIGNATURE: signed(BODY)[SIGNATURE][3:]}),
        "too old": _raw(headers=signed(BODY, seconds=str(int(SECONDS) - 301))),
        "of the future": _raw(headers=signed(BODY, seconds=str(int(SECONDS) + 301))),
        "in milliseconds": _raw(headers=signed(BODY, seconds=SECONDS + "000")),
        "before all time": _raw(headers=signed(BODY, seconds="-1")),
        "a time with a fraction": _raw(headers=signed(BODY, seconds=SECONDS + ".0")),
        "no number": _raw(headers=signed(BODY, seconds="abc")),
        "not UTF-8": _raw(b"\xff" + BODY, signed(b"\xff" + BODY)),
        "by GET": _raw(method="GET"),
        "by PUT": _raw(method="PUT"),
        "no header at all": _raw(headers={"host": "x"}),
    }
    check_forged(SUBJECT, good, forged)


@pytest.mark.parametrize(("off", "accepted"), [(-301, False), (-300, True), (300, True), (301, False)])
def test_the_time_may_be_five_minutes_off(off: int, accepted: bool) -> None:
    """Either way, by the time of arrival."""
    raw = _raw(headers=signed(BODY, seconds=str(int(SECONDS) + off)))
    if accepted:
        assert SUBJECT.adapter.verify(raw) is None
    else:
        check_refused(SUBJECT, raw)


def test_both_secrets_are_good_while_one_is_replaced() -> None:
    """In any order; without any secret nothing is."""
    for secret in (SECRET, OLD_SECRET):
        assert SUBJECT.adapter.verify(_raw(headers=signed(BODY, secret))) is None
    with pytest.raises(Unauthentic):
        Slack(Config(team_id="T1", app_token="xapp-1")).verify(_raw())


# --- answered, not kept -------------------------------------------------------------------------------------------


def test_one_secret_needs_no_list() -> None:
    """The short form is believed as the list is, and beside it."""
    for config in (
        Config(signing_secret=SECRET),
        Config(signing_secret=SECRET, signing_secrets=(OLD_SECRET,)),
        Config(signing_secret=OLD_SECRET, signing_secrets=(SECRET,)),
    ):
        assert Slack(config).verify(_raw()) is None
    with pytest.raises(Unauthentic):
        Slack(Config(signing_secret=OLD_SECRET)).verify(_raw())


def test_url_verification() -> None:
    """Is signed like everything else; its answer is the challenge."""
    body = encoded({"token": "x", "challenge": "3eZbrw1aB10", "type": "url_verification"})
    reply = SUBJECT.adapter.verify(_raw(body))
    assert isinstance(reply, Reply)
    assert (reply.status, reply.body) == (200, b"3eZbrw1aB10")
    assert reply.headers["content-type"].startswith("text/plain")
    check_refused(SUBJECT, _raw(body, {"host": "x"}))


@pytest.mark.parametrize(
    "body",
    [
        encoded(callback(said("url_verification"))),
        encoded({"type": "url_verification"}),
        encoded({"type": "url_verification", "challenge": 5}),
        b"url_verification",
        encoded({"type": "x", "challenge": "url_verification"}),
    ],
)
def test_what_only_looks_like_it_is_kept(body: bytes) -> None:
    """A customer may write the word."""
    assert SUBJECT.adapter.verify(_raw(body)) is None


@pytest.mark.parametrize(
    ("method", "query", "body", "answered"),
    [
        ("POST", "", b"ssl_check=1&token=x", True),
        ("GET", "ssl_check=1&token=x", b"", True),
        ("POST", "", b"ssl_check=1", True),
        ("POST", "", b"ssl_check=0&token=x", False),
        ("POST", "", b"ssl_check=1&command=/order&text=x", False),
        ("POST", "", b"ssl_check=1&token=" + b"x" * 2000, False),
        ("GET", "", b"", False),
        ("GET", "&ssl_check" * 150, b"", False),
    ],
)
def test_ssl_check(method: str, query: str, body: bytes, answered: bool) -> None:
    """Unsigned, and says nothing that could be kept."""
    raw = _raw(body, {"host": "x"}, method=method, query=query)
    if answered:
        assert SUBJECT.adapter.verify(raw) == Reply(200)
    else:
        check_refused(SUBJECT, raw)


def test_answers() -> None:
    """Empty, but for a menu that asks for its options."""
    ask = form({"payload": '{"type":"block_suggestion","action_id":"x","value":"lam"}'})
    assert SUBJECT.adapter.respond(_raw(BODY), None) == Reply(200)
    assert SUBJECT.adapter.respond(_raw(ask), None).body == b'{"options":[]}'
    assert SUBJECT.adapter.respond(_raw(encoded(callback(said("block_suggestion")))), None) == Reply(200)
    assert SUBJECT.adapter.respond(_raw(b"block_suggestion"), None) == Reply(200)
