"""What goes out, and what becomes of it."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.base import HttpCall
from normalizer.envelope import Message, Template, TemplateComponent, TemplateParameter, Text
from tests.adapters.whatsapp.support import SUBJECT, ctx, message, outbound_cases
from tests.kit import OutboundCase, check_failures, check_outbound, drive_steps, given_reply

TEXT = message({"kind": "message", "parts": [{"type": "text", "text": "hello"}]})
ACCEPTED = given_reply({"status": 200, "json": {"messages": [{"id": "wamid.OUT"}]}})


@pytest.mark.parametrize("case", outbound_cases(), ids=str)
def test_outbound(case: OutboundCase) -> None:
    check_outbound(SUBJECT, case)


def test_failures_land_in_their_class() -> None:
    """Whatever stands in the body, the status alone decides when there is no code."""
    check_failures(SUBJECT, TEXT, ctx())


@given(st.integers(100, 599), st.binary(max_size=40) | st.sampled_from([b'{"error":{"code":null}}', b'{"error":5}']))
def test_any_answer_is_success_or_a_send_error(status: int, body: bytes) -> None:
    """No answer of the provider's makes the adapter fall over; only a 2xx with an id is success."""
    driven = drive_steps(
        SUBJECT.adapter, TEXT, ctx(), [given_reply({"status": status, "body": body.decode("latin-1")})]
    )
    assert driven.error is not None
    assert driven.value == []


@given(st.text(alphabet=st.characters(), min_size=1, max_size=300).filter(str.strip))
def test_no_text_is_too_odd_to_send(text: str) -> None:
    """The body is JSON whatever the text, lone surrogates included."""
    odd = msgspec.structs.replace(TEXT, body=Message(parts=(Text(text),)))
    driven = drive_steps(SUBJECT.adapter, odd, ctx(), [ACCEPTED])
    assert driven.error is None
    (call,) = driven.calls
    assert isinstance(call, HttpCall)
    json.loads(call.body)


def test_a_lone_surrogate_is_mended() -> None:
    """Text from elsewhere may hold half a character; what goes out is whole."""
    odd = msgspec.structs.replace(TEXT, body=Message(parts=(Text("a\ud800b"),)))
    driven = drive_steps(SUBJECT.adapter, odd, ctx(), [ACCEPTED])
    (call,) = driven.calls
    assert isinstance(call, HttpCall)
    assert json.loads(call.body)["text"]["body"] == "a\ufffdb"


def test_a_parameter_with_a_structure_of_its_own() -> None:
    """Currency, dates and the like go out as they came."""
    price = TemplateParameter("currency", value=msgspec.Raw(b'{"code":"USD","amount_1000":1000}'))
    template = Template("t", "en", (TemplateComponent("body", (price, TemplateParameter("date_time"))),))
    driven = drive_steps(
        SUBJECT.adapter, msgspec.structs.replace(TEXT, body=Message(parts=(template,))), ctx(), [ACCEPTED]
    )
    (call,) = driven.calls
    assert isinstance(call, HttpCall)
    assert json.loads(call.body)["template"]["components"][0]["parameters"] == [
        {"type": "currency", "currency": {"code": "USD", "amount_1000": 1000}},
        {"type": "date_time", "date_time": {}},
    ]
