"""The words of RFC 6749: what is asked of a token server, and what its answers mean."""

from __future__ import annotations

from urllib.parse import parse_qs

import pytest
from msgspec.structs import replace

from adapters.base import CredentialsRefused, Grant, HttpCall, Reply, SendError, Throttled, Unavailable
from gateway.credentials import Granted, answered, asking

GRANT = Grant(
    token_url="https://id.example/token", client_id="us&", client_secret="s=1", refresh_token="r", scope="a b"
)


@pytest.mark.parametrize(
    ("grant", "refresh", "fields"),
    [
        (GRANT, "r2", {"grant_type": ["refresh_token"], "refresh_token": ["r2"], "client_id": ["us&"],
                       "client_secret": ["s=1"], "scope": ["a b"]}),
        (replace(GRANT, refresh_token=None), None,
         {"grant_type": ["client_credentials"], "client_id": ["us&"], "client_secret": ["s=1"], "scope": ["a b"]}),
        (replace(GRANT, client_secret="", scope=""), "r",
         {"grant_type": ["refresh_token"], "refresh_token": ["r"], "client_id": ["us&"]}),
    ],
)  # fmt: skip
def test_what_is_asked(grant: Grant, refresh: str | None, fields: dict[str, list[str]]) -> None:
    call = next(asking(grant, refresh))
    assert isinstance(call, HttpCall)
    assert (call.method, call.url) == ("POST", "https://id.example/token")
    assert call.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert parse_qs(call.body.decode()) == fields


@pytest.mark.parametrize(
    ("body", "granted"),
    [
        (b'{"access_token":"a","expires_in":3599}', Granted(access_token="a", expires_in=3599)),
        (b'{"access_token":"a","expires_in":"3599"}', Granted(access_token="a", expires_in=3599)),
        (b'{"access_token":"a","refresh_token":"r","id_token":"x","scope":[]}',
         Granted(access_token="a", refresh_token="r")),
    ],
)  # fmt: skip
def test_what_is_granted(body: bytes, granted: Granted) -> None:
    assert answered(Reply(200, {}, body)) == granted


@pytest.mark.parametrize(
    ("status", "body", "error", "code"),
    [
        (400, b'{"error":"invalid_grant","error_description":"secret words"}', CredentialsRefused, "invalid_grant"),
        (401, b'{"error":"invalid_client"}', CredentialsRefused, "invalid_client"),
        (403, b"", CredentialsRefused, None),
        (400, b'{"error":"temporarily_unavailable"}', Unavailable, "temporarily_unavailable"),
        (400, b'{"error":"A Token\\nwas in it"}', CredentialsRefused, None),
        (400, b'{"error":{"code":7}}', CredentialsRefused, None),
        (500, b"[[[", Unavailable, "500"),
        (302, b"", Unavailable, "302"),
        (200, b"", Unavailable, None),
        (200, b'{"access_token":""}', Unavailable, None),
        (200, b'{"access_token":7}', Unavailable, None),
        (200, b'{"access_token":"a","expires_in":"soon"}', Unavailable, None),
        (200, b"[" * 100_000, Unavailable, None),
        (429, b"", Throttled, None),
    ],
)
def test_what_is_refused(status: int, body: bytes, error: type[SendError], code: str | None) -> None:
    with pytest.raises(error) as refused:
        answered(Reply(status, {"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT"}, body))
    assert type(refused.value) is error
    assert (refused.value.provider_code, refused.value.retry_after_s) == (code, None)
    assert "secret" not in str(refused.value)
