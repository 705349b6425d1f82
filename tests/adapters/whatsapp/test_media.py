"""Fetching a customer's media: two steps, five minutes, one host that may see the token."""

from datetime import timedelta
from typing import Any

import pytest

from adapters.base import Fetched, HttpCall, NoAnswer, Reply
from adapters.whatsapp import simulator_content as content
from adapters.whatsapp.api import Api
from adapters.whatsapp.media import fetch
from normalizer.envelope import MediaRef, Message, media_parts
from tests.adapters.whatsapp.simulated import meta, on_the_wire, sheena
from tests.adapters.whatsapp.support import ACCOUNT, GRAPH, SUBJECT, TOKEN
from tests.kit import drive
from tests.kit.cases import NOW, Answer
from tests.kit.flow import Driven

API = Api(GRAPH, ACCOUNT)
URL = "https://lookaside.fbsbx.com/whatsapp_business/attachments/?mid=1"
FRESH = "https://lookaside.fbsbx.com/whatsapp_business/attachments/?mid=1&ext=2"
RESOLVE = f"{GRAPH}/m1?phone_number_id={ACCOUNT}"
DIGEST = "9f" * 32
STORED = Reply(200, {"X-Stored": DIGEST, "Content-Length": "4", "Content-Type": "image/jpeg"})
RESOLVED = Reply(200, {}, f'{{"url":"{FRESH}","mime_type":"image/jpeg","id":"m1"}}'.encode())
OTHER = Reply(200, {"x-stored": "00" * 32})
GONE = Reply(404, {}, b"Not Found")
MEDIA = MediaRef(external_id="m1", url=URL, sha256=DIGEST)


def fetched(media: MediaRef, *answers: Answer) -> tuple[Driven[Any], list[tuple[str, bool, bool]]]:
    """The result, and of each call: URL, whether the token goes along, whether the URL is distrusted."""
    driven: Driven[Any] = drive(fetch(API, media), answers)
    calls = [call for call in driven.calls if isinstance(call, HttpCall)]
    assert driven.unused == 0
    return driven, [(call.url, call.auth is not None, call.foreign) for call in calls]


def result(driven: Driven[Any]) -> Fetched:
    assert isinstance(driven.value, Fetched)
    return driven.value


def test_by_the_url_of_the_webhook() -> None:
    """While it is fresh it takes one call, with the token, to disk."""
    driven, calls = fetched(MEDIA, STORED)
    assert calls == [(URL, True, True)]
    assert (result(driven).stored, result(driven).size, result(driven).mime) == (DIGEST, 4, "image/jpeg")
    (call,) = driven.calls
    assert isinstance(call, HttpCall)
    assert call.to_media
    assert call.max_bytes == 100_000_000


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_an_expired_url_is_resolved_once(status: int) -> None:
    """By the id, then fetched again."""
    driven, calls = fetched(MEDIA, Reply(status), RESOLVED, STORED)
    assert calls == [(URL, True, True), (RESOLVE, True, False), (FRESH, True, True)]
    assert result(driven).stored == DIGEST


def test_without_a_url_it_is_resolved_first() -> None:
    """Old payloads name the id only."""
    _, calls = fetched(MediaRef(external_id="m1"), RESOLVED, STORED)
    assert [url for url, _, _ in calls] == [RESOLVE, FRESH]


@pytest.mark.parametrize(
    ("label", "media", "answers", "error"),
    [
        ("gone twice", MEDIA, [GONE, RESOLVED, GONE], "MediaFailed"),
        ("the id is unknown", MEDIA, [GONE, Reply(400, {}, b'{"error":{"code":100}}')], "MediaFailed"),
        ("the id is unknown, the other way", MEDIA, [GONE, Reply(404)], "MediaFailed"),
        ("neither id nor URL", MediaRef(), [], "MediaFailed"),
        ("a URL without an id that is gone", MediaRef(url=URL), [GONE], "MediaFailed"),
        ("the token is wrong", MEDIA, [Reply(401), Reply(401, {}, b'{"error":{"code":190}}')], "CredentialsRefused"),
        ("the token is wrong for a new URL", MEDIA, [GONE, RESOLVED, Reply(401)], "CredentialsRefused"),
        ("too many calls", MEDIA, [Reply(429)], "Throttled"),
        ("trouble, twice", MEDIA, [Reply(500), RESOLVED, Reply(503)], "Unavailable"),
        ("no answer", MEDIA, [NoAnswer()], "NoAnswer"),
        ("an answer without a URL", MEDIA, [GONE, Reply(200, {}, b"{}")], "Unavailable"),
        ("an unreadable answer", MEDIA, [GONE, Reply(200, {}, b"<")], "NoAnswer"),
        ("other bytes, twice", MEDIA, [OTHER, RESOLVED, OTHER], "Unavailable"),
        ("not stored", MediaRef(url=URL), [Reply(200)], "Unavailable"),
        ("a redirect to nowhere", MediaRef(url=URL), [Reply(302)], "MediaFailed"),
        ("a redirect to a file", MediaRef(url=URL), [Reply(302, {"location": "file:///etc/passwd"})], "MediaFailed"),
        ("a circle", MediaRef(url=URL), [Reply(302, {"location": URL})] * 4, "MediaFailed"),
    ],
)  # fmt: skip
def test_failures(label: str, media: MediaRef, answers: list[Answer], error: str) -> None:
    """Gone for good is MediaFailed; trouble may be tried again."""
    driven, _ = fetched(media, *answers)
    assert type(driven.error).__name__ == error, label


def test_a_redirect_is_followed_without_the_token() -> None:
    """Also when it leads to a host that would get it otherwise."""
    moved = Reply(302, {"Location": "https://cdn.example.org/x"})
    _, calls = fetched(MEDIA, moved, STORED)
    assert calls == [(URL, True, True), ("https://cdn.example.org/x", False, True)]
    _, calls = fetched(MEDIA, Reply(302, {"location": FRESH}), STORED)
    assert calls[1] == (FRESH, False, True)


@pytest.mark.parametrize(
    ("url", "token"),
    [
        ("https://lookaside.fbsbx.com/x", True),
        ("https://scontent.xx.fbcdn.net/x", True),
        ("https://mmg.whatsapp.net/x", True),
        ("https://lookaside.fbsbx.com:443/x", True),
        (f"{GRAPH}/x", True),
        ("http://lookaside.fbsbx.com/x", False),
        ("https://lookaside.fbsbx.com:8443/x", False),
        ("https://lookaside.fbsbx.com.example.org/x", False),
        ("https://evilfbsbx.com/x", False),
        ("https://example.org/lookaside.fbsbx.com", False),
        ("https://lookaside.fbsbx.com@example.org/x", False),
        ("https://example.org\\@lookaside.fbsbx.com/x", False),
        ("https://example.org/@lookaside.fbsbx.com/x", False),
        ("https://127.0.0.1/x", False),
        ("https://[::1/x", False),
        ("https://lookaside.fbsbx.com\n.example.org/x", False),
    ],
)
def test_who_sees_the_token(url: str, token: bool) -> None:
    """Meta's hosts over TLS and the configured API, however the URL is written."""
    driven, calls = fetched(MediaRef(url=url), STORED)
    assert calls == [(url, token, not url.startswith(GRAPH))]
    assert result(driven).stored == DIGEST


def test_with_the_simulator() -> None:
    """A customer's image, its URL after five minutes, and its id after a week."""
    simulated, customer = meta(), sheena()
    simulated.world.graph_url = GRAPH
    media_id = simulated.world.received(b"bytes", "image/jpeg", NOW)
    url = simulated.world.media_url(media_id, NOW)
    simulated.send(customer, content.media("image", media_id, "image/jpeg", url=url), NOW)
    (request,) = simulated.due(NOW)
    (envelope,) = SUBJECT.adapter.parse(SUBJECT.raw(request.body))
    assert isinstance(envelope.body, Message)
    ((_, part),) = media_parts(envelope.body)

    for minutes, status in ((0, [200]), (6, [404, 200, 200]), (60 * 24 * 8, [404, 400])):
        seen: list[int] = []

        def answer(call: HttpCall, now: Any = NOW + timedelta(minutes=minutes), seen: list[int] = seen) -> Reply:
            reply = simulated.answer(on_the_wire(call), now)
            seen.append(reply.status)
            stored = {"x-stored": "ab"} if call.to_media and reply.status == 200 else {}
            return Reply(reply.status, {**reply.headers, **stored}, b"" if stored else reply.body)

        drive(fetch(API, part.media), answer)
        assert seen == status
    assert TOKEN not in url
