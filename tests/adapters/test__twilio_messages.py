"""The list of an account's messages: what was taken from us, told from everything else in it."""

import json
from datetime import timedelta
from email.utils import format_datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from adapters._twilio_messages import CLOCKS, PAGE, has_files, listed, taken, with_media
from adapters.base import HttpCall, Reply, SendError
from tests.adapters.test__twilio import API
from tests.kit import Driven, drive
from tests.kit.cases import NOW

FIELDS = {"To": "+14155550101", "From": "+15017122661", "Body": "see you at nine"}
LIST = "https://api.twilio.com/2010-04-01/Accounts/AC1/Messages.json"


def row(sid: str = "SM1", after_s: float = 1, **changes: Any) -> dict[str, Any]:
    created = format_datetime(NOW + timedelta(seconds=after_s))
    known = {"sid": sid, "direction": "outbound-api", "status": "queued", "date_created": created, "date_sent": None}
    between = {"to": "+14155550101", "from": "+15017122661", "messaging_service_sid": None}
    return {**known, **between, "body": "see you at nine", "num_media": "0", **changes}


def answer(*rows: dict[str, Any]) -> Reply:
    return Reply(200, {}, json.dumps({"messages": rows, "next_page_uri": None}).encode())


def asked(driven: Driven[Any]) -> list[tuple[str, str]]:
    (call,) = driven.calls
    assert isinstance(call, HttpCall)
    assert (call.method, call.url.partition("?")[0]) == ("GET", LIST)
    return parse_qsl(urlsplit(call.url).query)


def look(*rows: dict[str, Any], **fields: str) -> list[str]:
    found = drive(taken(API, {**FIELDS, **fields}, NOW), [answer(*rows)]).value
    assert found is not None
    return [one["sid"] for one in found]


def test_what_is_asked_for() -> None:
    """What one sender sent to one person, whatever its day: a message that waits has none yet."""
    driven = drive(taken(API, FIELDS, NOW), [answer()])
    assert asked(driven) == [("To", "+14155550101"), ("From", "+15017122661"), ("PageSize", str(PAGE))]


def test_a_service_has_many_senders() -> None:
    """It is told by the service that was asked to choose one."""
    fields = {"To": "+14155550101", "MessagingServiceSid": "MG1", "Body": "hello"}
    other = {**row("SM2", body="hello", messaging_service_sid="MG2"), "from": "+1999"}
    ours = {**row("SM3", body="hello", messaging_service_sid="MG1"), "from": "+1888"}
    driven = drive(taken(API, fields, NOW), [answer(other, ours)])
    assert asked(driven) == [("To", "+14155550101"), ("PageSize", str(PAGE))]
    assert [one["sid"] for one in driven.value or ()] == ["SM3"]


def test_the_oldest_first() -> None:
    assert look(row("SM3", 3), row("SM2", 2), row("SM1", 1)) == ["SM1", "SM2", "SM3"]


@pytest.mark.parametrize(
    "change",
    [
        {"status": "sent"},
        {"status": "delivered"},
        {"status": "read"},
        {"status": "accepted"},
        {"body": "see you\r\nat  nine "},
        {"body": "Sent from your Twilio trial account - see you at nine"},
        {"num_media": "1"},
        {"num_media": None},
        {"more": {"than": "we know"}},
    ],
)
def test_what_may_be_it(change: dict[str, Any]) -> None:
    assert look(row(**change)) == ["SM1"]


@pytest.mark.parametrize(
    "change",
    [
        {"body": "see you at ten"},
        {"body": "Sent from your Twilio trial account - see you at ten"},
        {"body": "Sent from your Twilio trial account - "},
        {"body": None},
        {"to": "+14155550102"},
        {"from": "whatsapp:+15017122661"},
        {"direction": "inbound"},
        {"direction": "outbound-reply"},
        {"status": "failed"},
        {"status": "undelivered"},
        {"status": "canceled"},
        {"date_created": None},
        {"date_created": "yesterday"},
        {"sid": None},
        {"sid": ""},
    ],
)
def test_what_is_not_it(change: dict[str, Any]) -> None:
    """Another text, another person, a customer's own words, and what did not go out."""
    assert look(row(**change)) == []


def test_what_is_older_is_not_it() -> None:
    """The same was said before; but clocks differ a little."""
    early = -CLOCKS.total_seconds()
    assert look(row("SM2", early), row("SM1", early - 1)) == ["SM2"]


def test_without_a_text_it_has_files() -> None:
    assert look(row("MM1", body="", num_media="1"), row("SM2", body=""), Body="") == ["MM1"]
    assert look(row("MM1", body="Sent from your Twilio trial account - ", num_media="1"), Body="") == ["MM1"]
    assert [has_files({"num_media": number}) for number in ("0", "2", None, 0, 2)] == [False, True, False, False, True]


@pytest.mark.parametrize(
    "reply",
    [Reply(503), Reply(401), Reply(200, {}, b"<html>"), Reply(200, {}, b'{"messages":[5]}'), Reply(200, {}, b"{}")],
)
def test_a_list_that_can_not_be_read(reply: Reply) -> None:
    """Is not one without messages."""
    assert isinstance(drive(taken(API, FIELDS, NOW), [reply]).error, SendError)


def test_a_page_that_another_one_named() -> None:
    driven = drive(listed(API, {"To": "x"}, "/2010-04-01/Accounts/AC1/Messages.json?Page=1&PageToken=PA"), [answer()])
    assert asked(driven) == [("Page", "1"), ("PageToken", "PA")]


def test_files_have_their_places() -> None:
    """One more call, where there are any."""
    assert drive(with_media(API, row()), []).value == {**row(), "media": []}
    media = Reply(200, {}, b'{"media_list":[{"sid":"ME1","content_type":"image/png"}]}')
    found = drive(with_media(API, row(num_media="1")), [media]).value
    assert found is not None
    assert found["media"][0]["url"] == "https://api.twilio.com/2010-04-01/Accounts/AC1/Messages/SM1/Media/ME1"


def test_files_that_were_deleted_hold_nothing_up() -> None:
    """The message is told without them; trouble is still trouble."""
    gone = Reply(404, {}, b'{"code":20404}')
    assert drive(with_media(API, row(num_media="1")), [gone]).value == {**row(num_media="1"), "media": []}
    assert isinstance(drive(with_media(API, row(num_media="1")), [Reply(503)]).error, SendError)
