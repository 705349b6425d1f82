"""What an outage missed, read again."""

import json
from datetime import timedelta
from typing import Any

import pytest

from adapters.base import CallContext, HttpCall, Pulled, PulledItem
from adapters.slack import Slack
from adapters.slack.history import PAGES_MAX, THREADS_MAX
from normalizer.envelope import Edit, Message, Receipt
from tests.adapters.slack.support import CONFIG, SUBJECT
from tests.kit import Driven, drive, given_reply
from tests.kit.cases import NOW, Answer

ADAPTER = Slack(CONFIG)
SINCE = "1767323000.000000"
T1, T2, T3, T4 = (f"1767323{second:03}.000100" for second in (100, 200, 300, 400))
START = json.dumps({"since": SINCE, "our_user": "UBOT"})


def _pull(cursor: str | None, *answers: Answer) -> Driven[Pulled]:
    return drive(ADAPTER.pull("history/C1", cursor, CallContext(now=NOW + timedelta(minutes=10))), answers)


def _said(ts: str, text: str = "hi", **more: Any) -> dict[str, Any]:
    return {"type": "message", "user": "U1", "team": "T1", "text": text, "ts": ts, **more}


def _page(*messages: dict[str, Any], **more: Any) -> Answer:
    return given_reply({"status": 200, "json": {"ok": True, "messages": list(messages), "has_more": False, **more}})


def _asked(driven: Driven[Pulled]) -> list[tuple[str, str]]:
    return [(c.url.rpartition("/")[2], c.body.decode()) for c in driven.calls if isinstance(c, HttpCall)]


def _value(driven: Driven[Pulled]) -> Pulled:
    assert driven.error is None
    assert driven.value is not None
    assert driven.unused == 0
    return driven.value


def _ids(items: tuple[PulledItem, ...]) -> list[str | None]:
    parsed = [ADAPTER.parse(SUBJECT.raw(item.body, origin="pulled", headers=dict(item.headers))) for item in items]
    return [envelope.external_id for (envelope,) in parsed]


def test_the_first_time_nothing_is_old() -> None:
    """It begins now; and asks who we are."""
    pulled = _value(_pull(None, given_reply({"status": 200, "json": {"ok": True, "user_id": "UBOT"}})))
    assert pulled.items == ()
    assert json.loads(pulled.cursor) == {"since": "1767323645.000000", "our_user": "UBOT"}


@pytest.mark.parametrize("cursor", ["", "nonsense", "{}", "[]"])
def test_a_cursor_that_is_none_begins_anew(cursor: str) -> None:
    pulled = _value(_pull(cursor, given_reply({"status": 200, "json": {"ok": True, "user_id": "UBOT"}})))
    assert pulled.items == ()


def test_what_is_new_comes_in_order() -> None:
    """Slack lists the newest first."""
    driven = _pull(START, _page(_said(T2), _said(T1), _said("1767322999.000000")))
    pulled = _value(driven)
    assert _ids(pulled.items) == [f"C1:{T1}", f"C1:{T2}"]
    assert json.loads(pulled.cursor)["since"] == T2
    assert not pulled.more
    ((method, fields),) = _asked(driven)
    assert method == "conversations.history"
    assert "oldest=1767236600.000000" in fields
    assert "include_all_metadata=true" in fields


def test_nothing_new_leaves_the_cursor_where_it_is() -> None:
    assert json.loads(_value(_pull(START, _page())).cursor) == json.loads(START)


def test_what_was_pulled_is_what_would_have_come() -> None:
    """The same envelope by its name; what is ours is a receipt with its key."""
    metadata = {"event_type": "throughline_message", "event_payload": {"echo_key": "cmd_1:0"}}
    ours = _said(T2, user="UBOT", bot_id="B1", metadata=metadata)
    pulled = _value(_pull(START, _page(ours, _said(T1, "<@UBOT> hi"))))
    (first,), (second,) = [ADAPTER.parse(SUBJECT.raw(item.body, origin="pulled")) for item in pulled.items]
    assert (first.dedupe_keys, first.observed, type(first.body)) == ((f"message:C1:{T1}",), False, Message)
    assert (second.echo_key, type(second.body)) == ("cmd_1:0", Receipt)


def test_replies_of_threads_that_have_news() -> None:
    """Also of threads that began before; those without news are left alone. They are read by the next pull."""
    old = _said("1767322000.000000", reply_count=2, latest_reply=T3)
    quiet = _said("1767322100.000000", reply_count=1, latest_reply="1767322200.000000")
    first = _value(_pull(START, _page(_said(T2), quiet, old)))
    assert (_ids(first.items), first.more) == ([f"C1:{T2}"], True)
    driven = _pull(first.cursor, _page(old, _said(T1, thread_ts=old["ts"]), _said(T3, thread_ts=old["ts"])))
    pulled = _value(driven)
    assert (_ids(pulled.items), pulled.more) == ([f"C1:{T1}", f"C1:{T3}"], False)
    assert [method for method, _ in _asked(driven)] == ["conversations.replies"]
    assert json.loads(pulled.cursor) == {"since": T3, "our_user": "UBOT"}


def test_many_threads_are_read_some_at_a_time() -> None:
    """So that a limit of calls in the middle costs little, and each pull gets on."""
    roots = [_said(f"1767322{n:03}.000000", reply_count=1, latest_reply=T1) for n in range(25)]
    cursor, reads = _value(_pull(START, _page(*roots))).cursor, []
    while json.loads(cursor).get("threads"):
        left = json.loads(cursor)["threads"][:THREADS_MAX]
        replies = [_page(_said(f"1767323{100 + n}.000100", thread_ts=root)) for n, root in enumerate(left)]
        driven = _pull(cursor, *replies)
        reads.append(len(_asked(driven)))
        cursor = _value(driven).cursor
    assert reads == [10, 10, 5]
    assert json.loads(cursor)["since"] == "1767323109.000100"


def test_edits_come_beside_their_messages() -> None:
    """As the event would have been; also of messages that were known."""
    old = _said("1767322000.000000", "better", edited={"user": "U1", "ts": T1})
    pulled = _value(_pull(START, _page(old)))
    (edit,) = ADAPTER.parse(SUBJECT.raw(pulled.items[0].body, origin="pulled"))
    assert isinstance(edit.body, Edit)
    assert edit.dedupe_keys == (f"edit:C1:{old['ts']}:{T1}",)
    assert json.loads(pulled.cursor)["since"] == T1


def test_pages_are_read_to_their_end() -> None:
    """Up to five in one go; the rest comes with the next, and the cursor moves when all is read."""
    more = {"has_more": True, "response_metadata": {"next_cursor": "p2"}}
    pulled = _value(_pull(START, _page(_said(T4), **more), _page(_said(T1))))
    assert _ids(pulled.items) == [f"C1:{T1}", f"C1:{T4}"]
    pages = [_page(_said(f"1767323{400 - n}.000100"), **more) for n in range(PAGES_MAX)]
    first = _value(_pull(START, *pages))
    mark = json.loads(first.cursor)
    assert (first.more, mark["page"], mark["newest"], mark["since"]) == (True, "p2", T4, SINCE)
    driven = _pull(first.cursor, _page(_said(T1)))
    assert "cursor=p2" in _asked(driven)[0][1]
    assert json.loads(_value(driven).cursor) == {"since": T4, "our_user": "UBOT"}


def test_a_thread_that_is_endless_is_read_again_from_where_it_stopped() -> None:
    """The cursor waits for it."""
    cursor = json.dumps({"since": SINCE, "threads": ["1767322000.000000"], "newest": T4, "until": T4})
    more = {"has_more": True, "response_metadata": {"next_cursor": "p2"}}
    pulled = _value(_pull(cursor, *[_page(_said(T1), _said(T2), **more)] * PAGES_MAX))
    assert json.loads(pulled.cursor)["since"] == T2


def test_a_page_that_is_forgotten_is_read_from_the_start() -> None:
    """Pages do not live for ever at Slack's."""
    cursor = json.dumps({"since": SINCE, "our_user": "UBOT", "page": "p2", "newest": T4})
    refused = given_reply({"status": 200, "json": {"ok": False, "error": "invalid_cursor"}})
    assert _ids(_value(_pull(cursor, refused, _page(_said(T1)))).items) == [f"C1:{T1}"]


def test_what_is_said_while_threads_are_read_is_read_again() -> None:
    """A reply that is newer than the reading of the channel does not move the cursor beyond that."""
    future = "1767323645.000100"
    old = _said("1767322000.000000", reply_count=1, latest_reply=future)
    first = _value(_pull(START, _page(old)))
    pulled = _value(_pull(first.cursor, _page(old, _said(future, thread_ts=old["ts"]))))
    assert json.loads(pulled.cursor)["since"] == "1767323635.000000"


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ({"status": 429, "headers": {"retry-after": "60"}}, "Throttled"),
        ({"status": 200, "json": {"ok": False, "error": "not_in_channel"}}, "Unreachable"),
        ({"status": 200, "json": {"ok": False, "error": "missing_scope"}}, "CredentialsRefused"),
        ({"status": 200, "body": "<html>"}, "NoAnswer"),
        ({"status": 0}, "NoAnswer"),
    ],
)
def test_trouble_moves_nothing(answer: dict[str, Any], error: str) -> None:
    """The next pull asks for the same again."""
    driven = _pull(START, given_reply(answer))
    assert type(driven.error).__name__ == error
    assert driven.value is None


def test_messages_of_an_odd_shape_are_left_out() -> None:
    odd: list[Any] = [5, None, {}, {"ts": 7}]
    pulled = _value(_pull(START, _page(_said(T1), *odd)))
    assert _ids(pulled.items) == [f"C1:{T1}"]
