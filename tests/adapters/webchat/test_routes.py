"""The calls beside the socket."""

from datetime import timedelta
from typing import Any

import pytest

from adapters.base import (
    Forbidden,
    LegRead,
    LegUpload,
    Outcome,
    Placed,
    RawInbound,
    Reply,
    Unauthentic,
    Wire,
)
from adapters.webchat.routes import ERRORS, STATUS, ws_url
from adapters.webchat.wire import NackCode
from normalizer.envelope import MediaRef, Message, Note, Text
from normalizer.ids import EnvelopeId
from tests.adapters.webchat.support import (
    NOW,
    SITE,
    body,
    build,
    http,
    live,
    open_session,
    outbound,
    problem,
)

CHAT = build()
TOKEN, LEG = open_session(CHAT)
STORED = Outcome((Placed(EnvelopeId("env_1"), wire_seq=4, at=NOW),))
MSG = {"t": "msg", "cid": "c1", "type": "text", "text": "hello"}

# --- origins ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "origin",
    [
        "null",
        "https://evil.example",
        "http://shop.example",
        "https://shop.example:444",
        "https://shop.example.evil",
        "https://SHOP.example",
        "https://shop.example/",
        "https://shop.example, https://shop.example",
        "*",
        "",
        None,
    ],
)
@pytest.mark.parametrize("make", [http, live])
def test_a_foreign_origin_or_none_is_refused(origin: str | None, make: Any) -> None:
    raw = make(origin=origin) if origin != "" else make(origin=None, headers={"origin": ""})
    with pytest.raises(Forbidden):
        CHAT.verify(raw)


@pytest.mark.parametrize("path", ["/session", "/messages", "/uploads", "/identify", "/history", "/nothing"])
def test_the_origin_is_checked_before_anything_else(path: str) -> None:
    for method in ("OPTIONS", "POST", "GET", "DELETE"):
        with pytest.raises(Forbidden):
            CHAT.verify(http(method, path, token=TOKEN, origin="https://evil.example"))


def test_callers_without_origin_are_served_where_that_is_allowed_and_null_never() -> None:
    native = build(allow_no_origin=True)
    assert isinstance(native.verify(http(origin=None)), Reply)
    assert native.verify(live(origin=None)) is None
    for origin in ("null", "https://evil.example"):
        with pytest.raises(Forbidden):
            native.verify(http(origin=origin))


def test_a_get_from_the_gateways_own_page_needs_no_origin_if_that_page_is_allowed() -> None:
    same = {"sec-fetch-site": "same-origin"}
    own = build(allowed_origins=("https://gw.example",))
    assert isinstance(own.verify(http("GET", "/history", token=TOKEN, origin=None, headers=same)), LegRead)
    refused = [
        (CHAT, http("GET", "/history", token=TOKEN, origin=None, headers=same)),
        (own, http("POST", "/messages", MSG, token=TOKEN, origin=None, headers=same)),
        (own, http("GET", "/history", token=TOKEN, origin=None, headers={"sec-fetch-site": "cross-site"})),
        (own, live(origin=None, headers=same)),
    ]
    for chat, raw in refused:
        with pytest.raises(Forbidden):
            chat.verify(raw)


def test_a_preflight_names_the_exact_origin_and_may_be_cached() -> None:
    reply = CHAT.verify(http("OPTIONS", "/messages"))
    assert isinstance(reply, Reply)
    assert reply.status == 204
    assert reply.headers == {
        "vary": "Origin",
        "access-control-allow-origin": SITE,
        "access-control-expose-headers": "retry-after",
        "access-control-allow-methods": "POST",
        "access-control-allow-headers": "authorization, content-type",
        "access-control-max-age": "7200",
    }


def test_every_answer_carries_the_cors_headers() -> None:
    replies = [
        CHAT.verify(http()),
        CHAT.verify(http(body=b"{")),
        CHAT.verify(http("GET", "/session")),
        CHAT.verify(http(path="/nothing")),
        CHAT.respond(http(path="/messages", body=MSG, token=TOKEN), STORED),
        CHAT.respond(http(path="/messages", body=MSG, token=TOKEN), None),
        CHAT.respond(http("DELETE", token=TOKEN), STORED),
        CHAT.uploaded(http(path="/uploads", token=TOKEN), None, "empty"),
        CHAT.page(http("GET", "/history", token=TOKEN), LegRead(address=outbound_leg(), issued_at=NOW), (), False, 0),
    ]
    for reply in replies:
        assert isinstance(reply, Reply)
        assert reply.headers["access-control-allow-origin"] == SITE
        assert reply.headers["vary"] == "Origin"
    assert CHAT.headers(http())["access-control-allow-origin"] == SITE
    assert CHAT.headers(http(origin="https://evil.example")) == {"vary": "Origin"}


def outbound_leg() -> Any:
    read = CHAT.verify(http("GET", "/history", token=TOKEN))
    assert isinstance(read, LegRead)
    return read.address


# --- sessions -----------------------------------------------------------------------------------------------------


def test_a_first_visit_gets_a_session_and_nothing_is_kept() -> None:
    reply = CHAT.verify(http(body={"widget_key": "w1"}))
    assert isinstance(reply, Reply)
    assert reply.status == 201
    given = body(reply)
    assert given | {"session_token": "", "session_id": "", "file_types": []} == {
        "session_token": "",
        "session_id": "",
        "cursor": 0,
        "ws_url": "wss://gw.example/live/web",
        "expires_at": "2026-12-22T18:00:00Z",
        "renewed": False,
        "identified": False,
        "server_time": "2026-11-22T18:00:00Z",
        "limits": {"text": 4000, "file": 20_000_000, "frame": 65_536},
        "file_types": [],
        "ui": {"title": "Chat", "greeting": None, "colour": "#1f5fff"},
    }
    assert "no-store" in reply.headers["cache-control"]


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"null", b'{"session_token":7}', b"\xff", b"[" * 60_000])
def test_a_body_that_is_no_object_is_answered_400(data: bytes) -> None:
    reply = CHAT.verify(http(body=data))
    if data == b"":
        assert isinstance(reply, Reply)
        assert reply.status == 201, "an empty body asks for nothing in particular"
    else:
        assert isinstance(reply, Reply)
        assert (reply.status, body(reply)["code"]) == (400, "bad_frame")


def test_a_good_token_is_renewed_and_the_session_stays() -> None:
    later = NOW + timedelta(days=29)
    reply = CHAT.verify(http(body={"session_token": TOKEN}, id="raw-2", now=later))
    given = body(reply)
    assert (given["renewed"], given["cursor"]) == (True, None)
    assert given["session_id"] == LEG.removeprefix("w1/")
    bound = CHAT.verify(http("GET", "/history", token=given["session_token"], now=later + timedelta(days=29)))
    assert isinstance(bound, LegRead)
    assert bound.issued_at == NOW, "renewing must not make the credential younger than an ended session's mark"


@pytest.mark.parametrize("old", ["junk", "", "wst_a.b"])
def test_an_unusable_token_gets_a_new_session(old: str) -> None:
    assert body(CHAT.verify(http(body={"session_token": old}, id="raw-3")))["renewed"] is False


def test_another_widgets_key_is_unknown() -> None:
    reply = CHAT.verify(http(body={"widget_key": "w2"}))
    assert isinstance(reply, Reply)
    assert reply.status == 404


@pytest.mark.parametrize("path", ["/history", "/events", "/messages", "/uploads", "/identify", "/session"])
@pytest.mark.parametrize("token", [None, "", "junk", TOKEN[:-1]])
def test_without_a_good_session_token_nothing_is_served(path: str, token: str | None) -> None:
    method = {"/history": "GET", "/events": "GET", "/session": "DELETE"}.get(path, "POST")
    with pytest.raises(Unauthentic):
        CHAT.verify(http(method, path, MSG, token=token))


def test_an_expired_token_is_refused() -> None:
    with pytest.raises(Unauthentic):
        CHAT.verify(http("GET", "/history", token=TOKEN, now=NOW + timedelta(days=30)))


def test_ending_a_session_is_kept_then_answered_204() -> None:
    raw = http("DELETE", token=TOKEN)
    assert CHAT.verify(raw) is None
    assert CHAT.respond(raw, STORED).status == 204
    assert CHAT.respond(raw, None).status == 503


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/session", 405),
        ("PUT", "/messages", 405),
        ("POST", "/history", 405),
        ("POST", "/nothing", 404),
        ("POST", "", 404),
        ("POST", "/session/", 404),
        ("OPTIONS", "/nothing", 404),
    ],
)
def test_other_calls_are_told_so(method: str, path: str, status: int) -> None:
    reply = CHAT.verify(http(method, path, token=TOKEN))
    assert isinstance(reply, Reply)
    assert reply.status == status


# --- answers ----------------------------------------------------------------------------------------------------------


def test_every_nack_has_a_status() -> None:
    codes = set(NackCode.__args__)  # type: ignore[attr-defined]
    assert set(STATUS) == codes
    assert set(ERRORS.values()) < codes


# --- history and events -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "query", "expected"),
    [
        ("/history", "", {"before": None, "after": None, "limit": 50, "wait_ms": 0}),
        ("/history", "before=41&limit=10", {"before": 41, "after": None, "limit": 10, "wait_ms": 0}),
        ("/history", "limit=0", {"before": None, "after": None, "limit": 1, "wait_ms": 0}),
        ("/history", "limit=101", {"before": None, "after": None, "limit": 100, "wait_ms": 0}),
        ("/events", "", {"before": None, "after": 0, "limit": 50, "wait_ms": 0}),
        ("/events", "after=7&wait=25", {"before": None, "after": 7, "limit": 50, "wait_ms": 25_000}),
        ("/events", "after=7&wait=26", {"before": None, "after": 7, "limit": 50, "wait_ms": 25_000}),
    ],
)
def test_what_is_asked_for(path: str, query: str, expected: dict[str, Any]) -> None:
    read = CHAT.verify(http("GET", path, token=TOKEN, query=query))
    assert isinstance(read, LegRead)
    assert read.address.value == LEG
    assert {name: getattr(read, name) for name in expected} == expected


@pytest.mark.parametrize("query", ["after=-1", "after=x", "after=1.5", "after=\u0661", "after=" + "9" * 30, "wait=x"])
def test_numbers_that_are_none_are_400(query: str) -> None:
    reply = CHAT.verify(http("GET", "/events", token=TOKEN, query=query))
    assert isinstance(reply, Reply)
    assert reply.status == 400


def lines(*seqs: int) -> list[Wire]:
    return [Wire(seq=seq, envelope=outbound(Message(parts=(Text(str(seq)),)), id=f"m{seq}"), at=NOW) for seq in seqs]


def paged(path: str, query: str, wires: list[Wire], *, more: bool = False, head: int = 9) -> Reply:
    raw = http("GET", path, token=TOKEN, query=query)
    read = CHAT.verify(raw)
    assert isinstance(read, LegRead)
    return CHAT.page(raw, read, wires, more, head)


@pytest.mark.parametrize("wires", [lines(7, 8, 9), lines(9, 8, 7)])
def test_history_is_newest_first_whatever_the_store_gives(wires: list[Wire]) -> None:
    page = body(paged("/history", "", wires, more=True))
    assert [frame["seq"] for frame in page["messages"]] == [9, 8, 7]
    assert (page["has_more"], page["seq"]) == (True, 9)


def test_events_are_oldest_first_and_end_with_the_next_cursor() -> None:
    page = body(paged("/events", "after=6", lines(7, 8), more=True))
    assert [frame["seq"] for frame in page["events"]] == [7, 8]
    assert (page["seq"], page["more"]) == (8, True)


def test_events_without_news_keep_the_cursor() -> None:
    assert body(paged("/events", "after=9&wait=25", [])) == {"events": [], "seq": 9, "more": False}


def test_a_cursor_that_is_older_than_what_is_kept_is_410() -> None:
    reply = paged("/events", "after=3", lines(5, 6))
    assert (reply.status, body(reply)) == (410, problem(410, "resync"))


def test_pages_hide_what_the_visitor_must_not_see() -> None:
    reply = paged("/events", "after=0", [Wire(seq=1, envelope=outbound(Note("he is difficult")), at=NOW)])
    assert body(reply)["events"] == [{"t": "skip", "seq": 1}]


# --- uploads ------------------------------------------------------------------------------------------------------


def test_an_upload_is_asked_for_with_its_limits() -> None:
    upload = CHAT.verify(http(path="/uploads", token=TOKEN, headers={"content-type": "multipart/form-data"}))
    assert isinstance(upload, LegUpload)
    assert (upload.address.value, upload.max_bytes) == (LEG, 20_000_000)
    assert "image/png" in upload.mimes
    assert not {"image/svg+xml", "text/html"} & upload.mimes


def test_a_stored_file_can_be_sent_by_its_session_only() -> None:
    raw = http(path="/uploads", token=TOKEN)
    reply = CHAT.uploaded(raw, MediaRef(stored="ab" * 32, sniffed="image/png", size=5, filename="a\ud800.png"), None)
    given = body(reply)
    assert reply.status == 201
    assert (given["name"], given["size"], given["mime"]) == ("a\ufffd.png", 5, "image/png")
    frame = MSG | {"type": "file", "attachment_id": given["attachment_id"]}
    assert CHAT.verify(http(path="/messages", body=frame, token=TOKEN)) is None
    other, _ = open_session(CHAT, id="raw-99")
    foreign = CHAT.verify(http(path="/messages", body=frame, token=other))
    assert isinstance(foreign, Reply)
    assert body(foreign)["code"] == "attachment_unknown"


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        ("too_large", 413, "too_large"),
        ("type_refused", 415, "type_refused"),
        ("empty", 422, "empty"),
        ("ended", 401, "unauthenticated"),
        ("disk_full", 503, "unavailable"),
        (None, 503, "unavailable"),
    ],
)
def test_a_file_that_was_not_stored_gets_no_id(error: str | None, status: int, code: str) -> None:
    reply = CHAT.uploaded(http(path="/uploads", token=TOKEN), None, error)
    assert (reply.status, body(reply)) == (status, problem(status, code))


@pytest.mark.parametrize(
    ("public", "expected"),
    [
        ("https://gw.example/hooks/web/session", "wss://gw.example/live/web"),
        ("http://localhost:8080/hooks/web/session", "ws://localhost:8080/live/web"),
        ("https://gw.example/under/hooks/web/session", "wss://gw.example/under/live/web"),
        ("https://gw.example", "wss://gw.example/live/web"),
        ("", "/live/web"),
    ],
)
def test_the_sockets_url_lies_beside_the_one_that_was_called(public: str, expected: str) -> None:
    raw = RawInbound(id="r", endpoint_id=http().endpoint_id, origin="webhook", received_at=NOW, public_url=public)
    assert ws_url(raw) == expected
