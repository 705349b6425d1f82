"""What comes in: every documented shape, and every other one."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.base import Malformed
from normalizer.envelope import Message, Text, Unsupported
from tests.adapters.whatsapp.support import (
    ACCOUNT,
    METADATA,
    SUBJECT,
    delivery,
    encoded,
    inbound_cases,
    text_message,
    value,
)
from tests.kit import InboundCase, check_inbound, check_survives, mutations

CASES = inbound_cases()
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_inbound(case: InboundCase) -> None:
    check_inbound(SUBJECT, case)


def test_each_envelope_keeps_its_own_slice() -> None:
    """The raw of an envelope is the item that it came from, and nothing of its neighbours."""
    first, second = text_message("wamid.1", body="one"), text_message("wamid.2", body="two")
    raw = SUBJECT.raw(encoded(delivery(value(messages=[first, second]))))
    assert [json.loads(bytes(e.raw or b"")) for e in SUBJECT.adapter.parse(raw)] == [first, second]


def test_what_has_no_id_is_an_event_of_its_own() -> None:
    """The same notice twice in one POST, and once more in another, are three events."""
    body = encoded(delivery(value(), value(), field="account_update"))
    ids = [e.id for raw_id in ("a", "b") for e in SUBJECT.adapter.parse(SUBJECT.raw(body, id=raw_id))]
    assert len(set(ids)) == 4


def test_the_same_message_to_two_endpoints_is_two_envelopes() -> None:
    """An id is derived from the endpoint and the account as well as from the provider's id."""
    other = {**METADATA, "phone_number_id": "222"}
    document = delivery(value(messages=[text_message()]), {**value(messages=[text_message()]), "metadata": other})
    first, second = SUBJECT.adapter.parse(SUBJECT.raw(encoded(document)))
    assert (first.account, second.account) == (ACCOUNT, "222")
    assert first.id != second.id


# --- size ---------------------------------------------------------------------------------------------------------


def test_a_thousand_updates_for_two_numbers() -> None:
    """Each of 1,000 updates of one POST becomes one envelope of its own number, in order."""
    changes = []
    for number in range(500):
        account = ACCOUNT if number % 2 else "222"
        person = f"1650555{number:04}"
        status = {"id": f"wamid.S{number}", "status": "read", "timestamp": "1749416383", "recipient_id": person}
        inner = value(messages=[text_message(f"wamid.{number}", person)], statuses=[status])
        changes.append({**inner, "metadata": {**METADATA, "phone_number_id": account}})
    envelopes = check_survives(SUBJECT, encoded(delivery(*changes)))
    assert envelopes is not None
    assert len(envelopes) == len({e.id for e in envelopes}) == 1000
    assert [e.account for e in envelopes] == [ACCOUNT if n % 2 else "222" for n in range(500) for _ in range(2)]
    assert [e.external_id for e in envelopes if e.external_id] == [f"wamid.{n}" for n in range(500)]


def test_a_body_of_three_megabytes() -> None:
    """Meta's largest POST is read, and no text is cut."""
    messages = [text_message(f"wamid.{n}", body="ü" * 1000) for n in range(500)]
    body = encoded(delivery(value(messages=messages)))
    assert len(body) > 3_000_000
    envelopes = check_survives(SUBJECT, body)
    assert envelopes is not None
    assert {e.body for e in envelopes} == {Message(parts=(Text("ü" * 1000),))}


def test_a_thousand_contacts_are_found_by_index() -> None:
    """Many people in one change, listed in another order, keep their names."""
    people = [f"1650555{n:04}" for n in range(1000)]
    contacts = [{"wa_id": person, "profile": {"name": person}} for person in reversed(people)]
    messages = [text_message(f"wamid.{person}", person) for person in people]
    envelopes = check_survives(SUBJECT, encoded(delivery(value(contacts=contacts, messages=messages))))
    assert envelopes is not None
    assert [e.party.name for e in envelopes] == people


# --- bad input ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        b"", b"null", b"5", b'"text"', b"[]", b"{}", b'{"entry":{}}', b'{"entry":null}', b"{", b"\xff\xfe", b"\x00",
        b"<html></html>", b'{"entry":[}', b'{"entry":[]} trailing', b"[" * 100_000, b"\xef\xbb\xbf{}",
        b'{"entry":[' + b"[" * 100_000,
    ],
)  # fmt: skip
def test_what_is_no_delivery_is_malformed(body: bytes) -> None:
    """Signed, but no delivery at all: kept by the gateway and listed, never an accident."""
    with pytest.raises(Malformed):
        SUBJECT.adapter.parse(SUBJECT.raw(body))


def test_an_empty_delivery_is_nothing() -> None:
    """No entry is no envelope."""
    assert list(SUBJECT.adapter.parse(SUBJECT.raw(b'{"entry":[]}'))) == []


@pytest.mark.parametrize("deep", ["[" * 50_000 + "]" * 50_000, '{"a":' * 50_000 + "1" + "}" * 50_000])
def test_deep_nesting_harms_only_itself(deep: str) -> None:
    """A message that is nested too deeply to be read stands beside one that is read."""
    odd = encoded(text_message("wamid.odd"))[:-1] + b',"deep":' + deep.encode() + b"}"
    good = encoded(text_message("wamid.good"))
    body = encoded(delivery(value(messages=["@"]))).replace(b'"@"', odd + b"," + good)
    envelopes = check_survives(SUBJECT, body)
    assert envelopes is not None
    assert [(e.external_id, type(e.body)) for e in envelopes] == [("wamid.odd", Message), ("wamid.good", Message)]


@pytest.mark.parametrize(
    ("label", "inside", "want"),
    [
        ("a lone high surrogate", b'"a\\ud800b"', "a\ufffdb"),
        ("a lone low surrogate", b'"a\\udc00b"', "a\ufffdb"),
        ("a pair that was taken apart is a pair", b'"\\ud83d\\ude00"', "😀"),
        ("NUL", b'"a\\u0000b"', "ab"),
        ("bytes that are no UTF-8", b'"a\xffb"', "a\ufffdb"),
    ],
)
def test_text_that_databases_refuse(label: str, inside: bytes, want: str) -> None:
    """It is mended by the time it is sealed, and its neighbour does not notice."""
    body = encoded(delivery(value(messages=[text_message("wamid.a", body="@"), text_message("wamid.b")])))
    envelopes = check_survives(SUBJECT, body.replace(b'"@"', inside))
    assert envelopes is not None
    from normalizer.codec import seal

    sealed = [seal(e)[0].body for e in envelopes]
    assert sealed == [Message(parts=(Text(want),)), Message(parts=(Text("hello"),))], label


def test_numbers_beyond_every_type() -> None:
    """Huge numbers where text or small numbers are expected cost nothing but themselves."""
    order = {"catalog_id": 1, "product_items": [
        {"product_retailer_id": "p", "quantity": 1, "item_price": "@", "currency": "USD"}]}  # fmt: skip
    message: dict[str, Any] = {"id": "wamid.1", "from": "16505551234", "type": "order", "order": order}
    body = encoded(delivery(value(messages=[message])))
    for number in (b"1e999999", b"1" * 5000, b"-1e-999999", b'"NaN"', b'"Infinity"'):
        envelopes = check_survives(SUBJECT, body.replace(b'"@"', number))
        assert envelopes is not None
        assert envelopes[0].external_id == "wamid.1"
    timed = encoded(delivery(value(messages=[text_message()]))).replace(b'"1749416383"', b"1e300")
    envelopes = check_survives(SUBJECT, timed)
    assert envelopes is not None
    assert envelopes[0].occurred_at == envelopes[0].received_at


@pytest.mark.parametrize("case", CASES, ids=str)
@given(data=st.data())
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_one_thing_wrong(case: InboundCase, data: st.DataObject) -> None:
    """Any key dropped, nulled or of another type: an envelope for every item still, or Malformed."""
    document = json.loads(case.body)
    path, changed = data.draw(mutations(document))
    envelopes = check_survives(SUBJECT, encoded(changed))
    if envelopes is None:
        assert len(path) <= 1, "only the outermost object can be malformed as a whole"


@given(JSON)
@settings(max_examples=300, deadline=None)
def test_any_json_survives(document: Any) -> None:
    """Whatever stands in the place of a POST, an entry, a change, a value, a message, a status."""
    values = [value(messages=[document]), value(statuses=[document]), value(contacts=[document])]
    for body in (
        document, {"entry": [document]}, {"object": "whatsapp_business_account", "entry": [{"changes": [document]}]},
        delivery(document if isinstance(document, dict) else {"x": document}),
        delivery(*values),
    ):  # fmt: skip
        check_survives(SUBJECT, encoded(body))


def test_an_unknown_type_is_never_lost_in_a_batch() -> None:
    """As many envelopes as items, whatever they hold."""
    items: list[Any] = [
        text_message(),
        {"type": "text"},
        None,
        [],
        "x",
        5,
        {"type": ["?"]},
        {"id": 5, "type": "image", "image": {}},
    ]
    envelopes = check_survives(SUBJECT, encoded(delivery(value(messages=items))))
    assert envelopes is not None
    assert len(envelopes) == len(items)
    assert [isinstance(e.body, Unsupported) for e in envelopes] == [False, *[True] * 7]
