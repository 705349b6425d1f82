"""Who is shown the credential, however much an address looks like the provider's."""

from __future__ import annotations

import pytest

from adapters._files import Files, stored_size
from adapters.base import Auth, HttpCall, Reply
from tests.kit import drive

FILES = Files(api_url="https://api.files.example/v1", hosts=(".files.example",), auth=Auth("token"), max_bytes=9)
LOCAL = Files(api_url="http://127.0.0.1:9/v1", hosts=(".files.example",), auth=Auth("token"), max_bytes=9)
API = "https://api.files.example/x"


@pytest.mark.parametrize(
    ("url", "shown", "foreign"),
    [
        (API, True, False),
        ("https://API.files.example/x", True, False),
        ("https://cdn.files.example/x", True, True),
        ("https://cdn.files.example:443/x?mail=a@b", True, True),
        ("https://files.example/x", True, True),
        ("https://evil-files.example/x", False, True),
        ("https://files.example.evil.example/x", False, True),
        ("http://cdn.files.example/x", False, True),
        ("https://cdn.files.example:8443/x", False, True),
        ("https://cdn.files.example@evil.example/x", False, True),
        ("https://evil.example\\@cdn.files.example/x", False, True),
        ("https://cdn.files.example /x", False, True),
        ("https://cdn.files.example\n/x", False, True),
        ("ftp://cdn.files.example/x", False, True),
        ("https://[::1", False, True),
        ("https://cdn.files.example:port/x", False, True),
        ("", False, True),
    ],
)
def test_who_is_shown_the_credential(url: str, shown: bool, foreign: bool) -> None:
    call = FILES.call(url)
    assert (call.auth == Auth("token"), call.foreign, call.url) == (shown, foreign, url)
    assert (call.to_media, call.max_bytes) == (True, 9)
    assert FILES.is_ours(url) == shown


def test_an_api_elsewhere_is_shown_it_at_its_very_address() -> None:
    assert LOCAL.call("http://127.0.0.1:9/x").auth == Auth("token")
    assert LOCAL.call("http://127.0.0.1:8/x").auth is None
    assert LOCAL.is_api("http://127.0.0.1:9/x")
    assert not LOCAL.is_api("https://cdn.files.example/x")


def test_a_redirect_is_followed_without_it_wherever_it_leads() -> None:
    back = Reply(302, {"Location": API})
    driven = drive(FILES.get(API), [back, Reply(200)])
    calls = [call for call in driven.calls if isinstance(call, HttpCall)]
    assert [(call.url, call.auth is None, call.foreign) for call in calls] == [(API, False, False), (API, True, True)]
    assert driven.value == Reply(200)


@pytest.mark.parametrize(
    ("headers", "size"),
    [
        ({"X-Stored-Size": "7", "Content-Length": "5"}, 7),
        ({"content-length": "5"}, 5),
        ({"content-length": "-5"}, None),
        ({"content-length": "٥"}, None),
        ({"content-length": "9" * 16}, None),
        ({}, None),
    ],
)
def test_how_large_it_is(headers: dict[str, str], size: int | None) -> None:
    assert stored_size(Reply(200, headers)) == size
