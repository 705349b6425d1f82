"""Where credentials go, and where they do not."""

import pytest

from adapters._http import MAX_REDIRECTS
from adapters._twilio import Api, basic
from adapters._twilio_media import MAX_FETCH_BYTES, fetch
from adapters.base import Fetched, HttpCall, NoAnswer, Reply
from normalizer.envelope import MediaRef
from tests.kit import Driven, drive

API = Api(account_sid="AC1", api_url="https://api.twilio.com", auth=basic("AC1", None))
URL = "https://api.twilio.com/2010-04-01/Accounts/AC1/Messages/MM1/Media/ME1"
CDN = "https://mms.twiliocdn.com/AC1/file?sig=1"
STORED = Reply(200, {"X-Stored": "f" * 64, "Content-Type": "image/jpeg", "Content-Length": "5"})
TO_CDN = Reply(307, {"Location": CDN})


def fetched(
    *replies: Reply | NoAnswer, url: str | None = URL, mime: str | None = None, api: Api = API
) -> Driven[Fetched]:
    return drive(fetch(api, MediaRef(url=url, mime=mime)), list(replies))


def seen(driven: Driven[Fetched]) -> list[tuple[str, bool, bool]]:
    """Of each call: where, with credentials, as a foreign address."""
    calls = [call for call in driven.calls if isinstance(call, HttpCall)]
    assert all(call.to_media and call.max_bytes == MAX_FETCH_BYTES for call in calls)
    return [(call.url, call.auth is not None, call.foreign) for call in calls]


def test_a_redirect_is_followed_without_credentials() -> None:
    """To whatever storage it leads, as an address that somebody else named."""
    driven = fetched(TO_CDN, STORED)
    assert seen(driven) == [(URL, True, False), (CDN, False, True)]
    assert driven.value == Fetched(stored="f" * 64, mime="image/jpeg", size=5)


def test_the_type_that_the_webhook_named_stands() -> None:
    driven = fetched(STORED, mime="audio/ogg")
    assert driven.value is not None
    assert driven.value.mime == "audio/ogg"


def test_who_refuses_credentials_is_asked_without() -> None:
    """Once; they are only needed where an account enforces them."""
    driven = fetched(Reply(401), TO_CDN, STORED)
    assert seen(driven) == [(URL, True, False), (URL, False, True), (CDN, False, True)]
    assert driven.error is None
    again = fetched(Reply(401), Reply(401))
    assert type(again.error).__name__ == "CredentialsRefused"


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/2010-04-01/x",
        "https://evil-twilio.com/x",
        "https://twilio.com.evil.example/x",
        "http://api.twilio.com/x",
        "https://api.twilio.com:8443/x",
        "https://api.twilio.com@evil.example/x",
        "https://evil.example\\@api.twilio.com/x",
        "https://api.twilio.com /x",
        "https://api.twilio.com\n/x",
        "ftp://api.twilio.com/x",
        "https://[::1",
    ],
)
def test_nobody_else_gets_credentials(url: str) -> None:
    """However much the address looks like Twilio's."""
    assert seen(fetched(STORED, url=url)) == [(url, False, True)]


def test_twilios_other_hosts_get_them() -> None:
    """By https, as an address that a payload named."""
    url = "https://media.twilio.com/x"
    assert seen(fetched(STORED, url=url)) == [(url, True, True)]


def test_an_api_elsewhere_gets_them() -> None:
    """The one that was configured, at the very address."""
    api = Api(account_sid="AC1", api_url="http://127.0.0.1:9/api", auth=basic("AC1", None))
    assert seen(fetched(STORED, url="http://127.0.0.1:9/x", api=api)) == [("http://127.0.0.1:9/x", True, False)]
    assert seen(fetched(STORED, url="http://127.0.0.1:8/x", api=api)) == [("http://127.0.0.1:8/x", False, True)]


@pytest.mark.parametrize(
    ("replies", "name"),
    [
        ([Reply(404)], "MediaFailed"),
        ([Reply(410)], "MediaFailed"),
        ([TO_CDN, Reply(404)], "MediaFailed"),
        ([Reply(503)], "Unavailable"),
        ([Reply(429)], "Throttled"),
        ([TO_CDN, Reply(403)], "CredentialsRefused"),
        ([NoAnswer()], "NoAnswer"),
        ([Reply(200)], "Unavailable"),
        ([Reply(307)], "MediaFailed"),
        ([Reply(307, {"location": "file:///etc/passwd"})], "MediaFailed"),
        ([Reply(307, {"location": "https://[::1"})], "MediaFailed"),
        ([TO_CDN] * (MAX_REDIRECTS + 1), "MediaFailed"),
    ],
)
def test_what_can_go_wrong(replies: list[Reply | NoAnswer], name: str) -> None:
    """Gone for good, or to be tried again."""
    assert type(fetched(*replies).error).__name__ == name


def test_without_a_url() -> None:
    driven = fetched(url=None)
    assert type(driven.error).__name__ == "MediaFailed"
    assert driven.calls == []
