"""gateway/transport/redact.py: secrets leave texts in every spelling; logs get ids, host and status."""

import json
from base64 import b64encode, urlsafe_b64encode
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.base import Auth, HttpCall, PushCall
from gateway.transport.redact import SeenCall, describe, host_of, redact
from normalizer.ids import EndpointId

SECRET = 'EAAB+/=s3cret "quoted" ü'


@pytest.mark.parametrize(
    "spelling",
    [SECRET, quote(SECRET), quote(SECRET, safe=""), quote_plus(SECRET), json.dumps(SECRET), repr(SECRET)],
)
def test_a_secret_leaves_in_every_spelling(spelling: str) -> None:
    text = redact(f"before {spelling} after", [SECRET])
    assert "s3cret" not in text
    assert text.startswith("before ")
    assert text.endswith(" after")


@pytest.mark.parametrize("user", ["", "a", "ab", "abc", "ACcount"])
def test_a_secret_leaves_base64(user: str) -> None:
    """Basic credentials: whatever stands before it, at most the characters that it shares with its neighbours stay."""
    for encode in (b64encode, urlsafe_b64encode):
        token = encode(f"{user}:{SECRET}".encode()).decode()
        hidden = redact(f"Basic {token}", [SECRET])
        assert "***" in hidden
        assert len(hidden) < len("Basic ***") + len(user) * 2 + 8


def test_the_longest_secret_goes_first() -> None:
    assert redact("token-and-more", ["token", "token-and-more"]) == "***"


@pytest.mark.parametrize("secrets", [[], [""]])
def test_no_secret_changes_nothing(secrets: list[str]) -> None:
    assert redact("as it is", secrets) == "as it is"


@given(secret=st.text(min_size=1, max_size=40), before=st.text(max_size=20), after=st.text(max_size=20))
def test_no_secret_is_left(secret: str, before: str, after: str) -> None:
    hidden = redact(before + secret + after, [secret])
    assert "***" in hidden
    if "*" not in secret:
        assert secret not in hidden.replace("***", "\0") or secret == "\0"


def test_a_call_is_told_without_path_header_or_body() -> None:
    call = HttpCall(
        method="POST",
        url="https://user:pw@graph.example:8443/v1/491711234567/messages?access_token=t",
        headers={"X-Key": "k"},
        body=b"words",
        auth=Auth("bot_token"),
    )
    assert describe(EndpointId("wa"), call) == SeenCall(
        endpoint_id=EndpointId("wa"), kind="http", method="POST", host="graph.example"
    )
    assert describe(EndpointId("chat"), PushCall(frame=b"x")) == SeenCall(endpoint_id=EndpointId("chat"), kind="push")


@pytest.mark.parametrize("url", ["", "no url", "https://[::1", "https://a:b/"])
def test_what_is_no_url_has_no_host(url: str) -> None:
    assert host_of(url) == ""
