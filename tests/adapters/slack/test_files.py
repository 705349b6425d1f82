"""Files of customers: where the token goes, and what is not the file."""

import pytest

from adapters.base import CallContext, Fetched, HttpCall, NoAnswer, Reply
from adapters.slack import Config, Slack
from adapters.slack.files import MAX_BYTES
from normalizer.envelope import MediaRef
from tests.adapters.slack.support import CONFIG
from tests.kit import Driven, drive, given_reply
from tests.kit.cases import NOW, Answer

URL = "https://files.slack.com/files-pri/T1-F1/a.png"
ADAPTER = Slack(CONFIG)
BYTES = Reply(200, {"content-type": "image/png", "x-stored": "ab" * 32, "x-stored-size": "5"})
LOGIN = Reply(200, {"content-type": "text/html; charset=utf-8", "x-stored": "cd" * 32, "x-stored-size": "50000"})
INFO = given_reply(
    {"status": 200, "json": {"ok": True, "file": {"id": "F1", "mimetype": "image/png", "url_private": URL + "?2"}}}
)


def _fetch(media: MediaRef, *answers: Answer, adapter: Slack = ADAPTER) -> Driven[Fetched]:
    return drive(adapter.fetch(media, CallContext(now=NOW)), answers)


def _called(driven: Driven[Fetched]) -> list[tuple[str, str | None, bool]]:
    calls = [call for call in driven.calls if isinstance(call, HttpCall)]
    return [(call.url, call.auth.credential if call.auth else None, call.foreign) for call in calls]


def test_a_download() -> None:
    """With the bot token, straight to disk."""
    driven = _fetch(MediaRef(url=URL, external_id="F1", mime="image/png"), BYTES)
    assert driven.value == Fetched(stored="ab" * 32, mime="image/png", size=5)
    (call,) = driven.calls
    assert isinstance(call, HttpCall)
    assert (call.method, call.to_media, call.max_bytes, call.body) == ("GET", True, MAX_BYTES, b"")
    assert _called(driven) == [(URL, "bot_token", True)]


@pytest.mark.parametrize(
    ("url", "credential"),
    [
        (URL, "bot_token"),
        ("https://slack.com/files/x", "bot_token"),
        ("https://acme.enterprise.slack.com/x", "bot_token"),
        ("http://files.slack.com/x", None),
        ("https://files.slack.com:8443/x", None),
        ("https://files.slack.com.evil.example/x", None),
        ("https://evilslack.com/x", None),
        ("https://evil.example/https://files.slack.com/x", None),
        ("https://files.slack.com@evil.example/x", None),
        ("https://evil.example\\@files.slack.com/x", None),
        ("https://evil.example/ files.slack.com", None),
        ("https://[::1", None),
    ],
)
def test_the_token_goes_to_slack_only(url: str, credential: str | None) -> None:
    """Whatever a URL looks like to whom."""
    assert _called(_fetch(MediaRef(url=url), BYTES))[0][1] == credential


def test_the_configured_api_is_not_foreign() -> None:
    """A stand-in on this machine gives its files itself."""
    adapter = Slack(Config(team_id="T1", api_url="http://127.0.0.1:9000/api"))
    driven = _fetch(MediaRef(url="http://127.0.0.1:9000/files-pri/x"), BYTES, adapter=adapter)
    assert _called(driven) == [("http://127.0.0.1:9000/files-pri/x", "bot_token", False)]


def test_redirects_are_followed_without_the_token() -> None:
    """Even to Slack's own hosts."""
    driven = _fetch(MediaRef(url=URL), Reply(302, {"Location": "https://cdn.example/a"}), BYTES)
    assert driven.value is not None
    assert _called(driven) == [(URL, "bot_token", True), ("https://cdn.example/a", None, True)]


@pytest.mark.parametrize("place", ["", "file:///etc/passwd", "ftp://x"])
def test_a_redirect_to_nowhere(place: str) -> None:
    driven = _fetch(MediaRef(url=URL), Reply(302, {"location": place}))
    assert type(driven.error).__name__ == "MediaFailed"


def test_redirects_come_to_an_end() -> None:
    driven = _fetch(MediaRef(url=URL), *[Reply(302, {"location": URL})] * 4)
    assert type(driven.error).__name__ == "MediaFailed"


# --- what is not the file -----------------------------------------------------------------------------------------


def test_a_login_page_is_not_the_file() -> None:
    """The API may know another URL; if that gives the page as well, the token may not read files."""
    media = MediaRef(url=URL, external_id="F1", mime="image/png", size=5)
    assert _fetch(media, LOGIN, INFO, BYTES).value == Fetched(stored="ab" * 32, mime="image/png", size=5)
    driven = _fetch(media, LOGIN, INFO, LOGIN)
    assert type(driven.error).__name__ == "CredentialsRefused"
    assert [call[0] for call in _called(driven)] == [URL, "https://slack.com/api/files.info", URL + "?2"]


@pytest.mark.parametrize(("size", "taken"), [(50000, True), (None, True), (7, False)])
def test_a_file_that_is_a_page_itself(size: int | None, taken: bool) -> None:
    """Told by its size."""
    driven = _fetch(MediaRef(url=URL, mime="text/html", size=size), LOGIN)
    assert (driven.value is not None) is taken


def test_a_file_of_another_company_is_asked_for() -> None:
    """It has an id only."""
    driven = _fetch(MediaRef(external_id="F1"), INFO, BYTES)
    assert driven.value == Fetched(stored="ab" * 32, mime="image/png", size=5)


@pytest.mark.parametrize(
    ("media", "answers", "error", "certain"),
    [
        (MediaRef(), [], "MediaFailed", True),
        (MediaRef(url=URL), [Reply(404)], "MediaFailed", True),
        (MediaRef(url=URL), [LOGIN], "MediaFailed", True),
        (MediaRef(url=URL, external_id="F1"), [Reply(404), INFO, Reply(410)], "MediaFailed", True),
        (MediaRef(external_id="F1"), [given_reply({"status": 200, "json": {"ok": True}})], "MediaFailed", True),
        (MediaRef(external_id="F1"), [given_reply({"status": 200, "json": {"ok": False, "error": "file_not_found"}})],
         "MediaFailed", True),
        (MediaRef(external_id="F1"), [given_reply({"status": 200, "json": {"ok": False, "error": "moon"}})],
         "MediaFailed", True),
        (MediaRef(external_id="F1"), [given_reply({"status": 200, "json": {"ok": False, "error": "missing_scope"}})],
         "CredentialsRefused", True),
        (MediaRef(url=URL), [Reply(503)], "Unavailable", True),
        (MediaRef(url=URL), [Reply(429, {"retry-after": "1"})], "Throttled", True),
        (MediaRef(url=URL), [Reply(200, {"content-type": "image/png"})], "Unavailable", True),
        (MediaRef(url=URL), [NoAnswer()], "NoAnswer", False),
    ],
)  # fmt: skip
def test_what_becomes_of_a_fetch(media: MediaRef, answers: list[Answer], error: str, certain: bool) -> None:
    """For good, or for now."""
    driven = _fetch(media, *answers)
    assert driven.error is not None
    assert (type(driven.error).__name__, driven.error.certain, driven.unused) == (error, certain, 0)
