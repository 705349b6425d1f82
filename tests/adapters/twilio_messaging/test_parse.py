"""What comes in: every documented field, and every other one."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters._twilio import MAX_FORM_BYTES
from adapters.base import Malformed
from normalizer.envelope import Message
from tests.adapters.twilio_messaging.support import SUBJECT, inbound_cases, sms, status, whatsapp
from tests.kit import InboundCase, check_inbound, check_parsed, check_survives, form, form_mutations, mutations

CASES = inbound_cases()
FORMS = [case for case in CASES if case.body and not case.body.startswith((b"{", b"["))]
ROWS = [case for case in CASES if case.origin == "pulled"]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_inbound(case: InboundCase) -> None:
    check_inbound(SUBJECT, case)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_parse_command(case: InboundCase) -> None:
    check_parsed(SUBJECT, case)


def test_told_and_found_are_the_same_message() -> None:
    """The same envelope id and the same key, whichever came first."""
    (told,) = SUBJECT.adapter.parse(SUBJECT.raw(form(sms())))
    case = ROWS[0]
    (found,) = SUBJECT.adapter.parse(SUBJECT.raw(case.body, **case.facts()))
    assert (found.id, found.dedupe_keys, found.account) == (told.id, told.dedupe_keys, told.account)
    assert json.loads(bytes(found.raw or b"")) == json.loads(case.body)
    assert isinstance(told.body, Message)
    assert isinstance(found.body, Message)
    assert found.body.parts == told.body.parts


def test_a_receipt_is_no_copy_of_its_message() -> None:
    """Nor is one status of another: each is an event of its own."""
    states = [status(MessageSid="SM1", SmsSid="SM1", MessageStatus=state) for state in ("sent", "delivered", "read")]
    found = [SUBJECT.adapter.parse(SUBJECT.raw(form(fields)))[0] for fields in (sms(), *states)]
    assert len({envelope.id for envelope in found}) == len({envelope.dedupe_keys for envelope in found}) == 4


def test_the_raw_is_the_form_as_json() -> None:
    """Blank fields, repeated ones and those that nobody knows included."""
    body = form({"MessageSid": "SM1", "ToCity": "", "Odd": ["1", "2"]})
    (envelope,) = SUBJECT.adapter.parse(SUBJECT.raw(body))
    assert json.loads(bytes(envelope.raw or b"")) == {"MessageSid": "SM1", "ToCity": "", "Odd": ["1", "2"]}


# --- bad input ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "facts"),
    [
        (b"", {}),
        (b"&&&", {}),
        (b"a=1&" * 2000, {}),
        (b"{", {"headers": {"content-type": "application/json"}}),
        (b"\xff\xfe", {"headers": {"content-type": "application/json"}}),
        (b"5", {"headers": {"content-type": "application/json"}}),
        (b"[" * 1_000_000 + b"]" * 1_000_000, {"headers": {"content-type": "application/json"}}),
        (b"{", {"origin": "pulled"}),
        (b"[]", {"origin": "pulled"}),
        (b"{}", {"origin": "pulled"}),
        (b'{"sid":null}', {"origin": "pulled"}),
        (b'{"sid":' + b"[" * 1_000_000 + b"]" * 1_000_000 + b"}", {"origin": "pulled"}),
    ],
)
def test_what_is_no_webhook_is_malformed(body: bytes, facts: dict[str, Any]) -> None:
    """Kept by the gateway and listed, never an accident."""
    assert check_survives(SUBJECT, body, **facts) is None
    with pytest.raises(Malformed):
        SUBJECT.adapter.parse(SUBJECT.raw(body, **facts))


@pytest.mark.parametrize("case", FORMS, ids=str)
@given(data=st.data())
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_one_field_wrong(case: InboundCase, data: st.DataObject) -> None:
    """Any field dropped, empty, repeated or full of junk: still one envelope."""
    _, body = data.draw(form_mutations(case.body))
    envelopes = check_survives(SUBJECT, body, **case.facts())
    assert envelopes is None or len(envelopes) == 1
    assert envelopes is not None or not body


@pytest.mark.parametrize("case", ROWS, ids=str)
@given(data=st.data())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_one_key_of_a_row_wrong(case: InboundCase, data: st.DataObject) -> None:
    """A row without its id is malformed; any other one is a message still."""
    path, changed = data.draw(mutations(json.loads(case.body)))
    envelopes = check_survives(SUBJECT, json.dumps(changed).encode(), **case.facts())
    assert envelopes is not None or path[0] == "sid"


@given(st.binary(max_size=200), st.sampled_from(["webhook", "pulled"]), st.sampled_from(["a/json", "a/form"]))
@settings(deadline=None)
def test_any_bytes_survive(body: bytes, origin: str, type: str) -> None:
    """Whatever arrives under whatever type."""
    check_survives(SUBJECT, body, origin=origin, headers={"content-type": type})


HUGE = ["[" * 160_000, "9" * 490_000, "A" * 490_000, '{"a":' * 30_000, "+" * 160_000, "é" * 80_000]
"""Each nearly as large as a form may be, once it is encoded."""


@pytest.mark.parametrize("name", ["Body", "InteractiveData", "NumMedia", "From", "Latitude", "MessageSid", "MediaUrl0"])
@pytest.mark.parametrize("junk", HUGE, ids=lambda junk: str(junk[:5]))
def test_a_huge_field_costs_little(name: str, junk: str) -> None:
    """Half a million bytes in any field are read within the limit of time."""
    body = form({**whatsapp(), "MessageType": "interactive", name: junk})
    assert check_survives(SUBJECT, body) is not None


def test_a_form_that_is_too_large_is_malformed() -> None:
    """At the limit and one past it."""
    body = b"MessageSid=SM1&From=%2B15550101&Body="
    assert check_survives(SUBJECT, body + b"a" * (MAX_FORM_BYTES - len(body))) is not None
    assert check_survives(SUBJECT, body + b"a" * (MAX_FORM_BYTES - len(body) + 1)) is None
