"""What goes out, and what becomes of it."""

from urllib.parse import parse_qs

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.base import HttpCall, Refused
from adapters.twilio_messaging import REGISTRATION
from normalizer.envelope import Message, Text
from tests.adapters.twilio_messaging.support import CONFIG, SMS, SUBJECT, ctx, message, outbound_cases
from tests.kit import OutboundCase, check_failures, check_outbound, check_rendered, drive, drive_steps, given_reply
from tests.kit.cases import ENDPOINT

TEXT = message({"kind": "message", "parts": [{"type": "text", "text": "hello"}]})
ACCEPTED = given_reply({"status": 201, "json": {"sid": "SM9"}})
CASES = outbound_cases()


@pytest.mark.parametrize("case", CASES, ids=str)
def test_outbound(case: OutboundCase) -> None:
    check_outbound(SUBJECT, case)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_render_command(case: OutboundCase) -> None:
    check_rendered(SUBJECT, case)


def test_failures_land_in_their_class() -> None:
    """Whatever stands in the body, the status alone decides when there is no code."""
    check_failures(SUBJECT, TEXT, ctx())


@given(st.integers(100, 599), st.binary(max_size=40) | st.sampled_from([b'{"code":null}', b'{"sid":5}', b'{"sid":""}']))
def test_any_answer_is_success_or_a_send_error(status: int, body: bytes) -> None:
    """No answer of Twilio's makes the adapter fall over; only a 2xx with an id is success."""
    answer = given_reply({"status": status, "body": body.decode("latin-1")})
    driven = drive_steps(SUBJECT.adapter, TEXT, ctx(), [answer])
    assert driven.error is not None
    assert driven.value == []


@given(st.text(alphabet=st.characters(), min_size=1, max_size=300).filter(str.strip))
def test_no_text_is_too_odd_to_send(text: str) -> None:
    """The body is a form whatever the text, lone surrogates included."""
    odd = msgspec.structs.replace(TEXT, body=Message(parts=(Text(text),)))
    driven = drive_steps(SUBJECT.adapter, odd, ctx(), [ACCEPTED])
    (call,) = driven.calls
    assert isinstance(call, HttpCall)
    fields = parse_qs(call.body.decode(), keep_blank_values=True, strict_parsing=True)
    assert fields["Body"] == [text.encode("utf-8", "replace").decode()]


@pytest.mark.parametrize(
    ("hook", "public_url", "want"),
    [
        ("https://gw.example/hooks/x", None, "https://gw.example/hooks/x?echo=cmd_1"),
        ("http://10.0.0.5/hooks/x", "https://gw.example", "https://gw.example/hooks/x?echo=cmd_1"),
        ("http://10.0.0.5/hooks/x", "https://gw.example/sms#rc=5", "https://gw.example/sms?echo=cmd_1#rc=5"),
        ("", None, None),
    ],
)
def test_where_receipts_go(hook: str, public_url: str | None, want: str | None) -> None:
    """To the hook, as Twilio can reach it, with our key, and repeated as that says; nowhere while it is not known."""
    adapter = REGISTRATION.build(ENDPOINT, msgspec.structs.replace(CONFIG, public_url=public_url))
    driven = drive_steps(adapter, TEXT, ctx(hook_url=hook), [ACCEPTED])
    (call,) = driven.calls
    assert isinstance(call, HttpCall)
    assert parse_qs(call.body.decode()).get("StatusCallback") == ([want] if want else None)


def test_a_key_in_a_url_is_escaped() -> None:
    """Whatever the key is made of, it comes back as it was."""
    driven = drive_steps(SUBJECT.adapter, TEXT, ctx(echo_key="a&b=c#d é"), [ACCEPTED])
    (call,) = driven.calls
    assert isinstance(call, HttpCall)
    (url,) = parse_qs(call.body.decode())["StatusCallback"]
    (envelope,) = SUBJECT.adapter.parse(
        SUBJECT.raw(b"MessageSid=SM9&MessageStatus=sent&To=%2B1", query=url.partition("?")[2])
    )
    assert envelope.echo_key == "a&b=c#d é"


def test_an_api_key_signs_calls() -> None:
    """In the place of the account's token."""
    config = msgspec.structs.replace(CONFIG, api_key_sid="SK1", api_key_secret="s")
    driven = drive_steps(REGISTRATION.build(ENDPOINT, config), TEXT, ctx(), [ACCEPTED])
    (call,) = driven.calls
    assert isinstance(call, HttpCall)
    assert call.auth is not None
    assert (call.auth.credential, call.auth.scheme, call.auth.user) == ("api_key_secret", "basic", "SK1")


def test_without_indicators_nothing_is_shown() -> None:
    """Where an account may not use them."""
    adapter = REGISTRATION.build(ENDPOINT, msgspec.structs.replace(CONFIG, indicators=False))
    assert drive_steps(adapter, message({"kind": "typing"}), ctx(last_inbound="SM1"), []).calls == []


def test_one_sender_needs_no_name_and_several_do() -> None:
    """A message goes from where it is told to, never from a guess."""
    nameless = ctx("tel:+14155550101")
    nameless = msgspec.structs.replace(nameless, account=None)
    one = msgspec.structs.replace(CONFIG, senders={}, from_=SMS)
    assert drive_steps(REGISTRATION.build(ENDPOINT, one), TEXT, nameless, [ACCEPTED]).error is None
    assert isinstance(drive_steps(SUBJECT.adapter, TEXT, nameless, []).error, Refused)


def test_a_step_past_the_last_one_sends_nothing() -> None:
    """An echo may have told that the last one is out."""
    driven = drive(SUBJECT.adapter.send(TEXT, ctx(step=1)), [])
    assert (driven.calls, driven.error) == ([], None)
