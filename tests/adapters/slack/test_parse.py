"""What comes in: every documented shape, and every other one."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.base import Malformed
from adapters.slack import Config
from normalizer.envelope import Message, Text
from tests.adapters.slack.support import CONFIG, SUBJECT, callback, encoded, inbound_cases, said
from tests.kit import (
    FORM,
    InboundCase,
    Subject,
    check_inbound,
    check_parsed,
    check_survives,
    form,
    form_mutations,
    mutations,
)

CASES = inbound_cases()
JSON_CASES = [case for case in CASES if case.headers["content-type"] == "application/json"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=4),
    max_leaves=12,
)


def test_there_are_enough_cases() -> None:
    """And none is there twice."""
    assert len({case.label for case in CASES}) == len(CASES) >= 40


@pytest.mark.parametrize("case", CASES, ids=str)
def test_inbound(case: InboundCase) -> None:
    check_inbound(SUBJECT, case)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_command_says_the_same(case: InboundCase) -> None:
    check_parsed(SUBJECT, case)


def test_an_event_keeps_its_own_slice() -> None:
    """The event, without the token and the other facts around it."""
    (envelope,) = SUBJECT.adapter.parse(SUBJECT.raw(encoded(callback(said()))))
    assert json.loads(bytes(envelope.raw or b"")) == said()


def test_the_old_token_is_kept_nowhere() -> None:
    """It once proved something; it stands in every payload."""
    fields = {"token": "old-verification-token", "command": "/x", "user_id": "U1", "trigger_id": "1"}
    click = {"token": "old-verification-token", "type": "view_closed", "user": {"id": "U1"}}
    for body in (form(fields), form({"payload": json.dumps(click)}), encoded(fields), encoded(click)):
        (envelope,) = SUBJECT.adapter.parse(SUBJECT.raw(body))
        assert b"old-verification-token" not in bytes(envelope.raw or b"")


def test_a_form_is_known_by_its_type_or_its_beginning() -> None:
    """A proxy may have lost the type."""
    body = form({"payload": json.dumps({"type": "view_closed", "user": {"id": "U1"}})})
    for headers in ({}, {"content-type": FORM}, {"content-type": FORM + "; charset=utf-8"}):
        (envelope,) = SUBJECT.adapter.parse(SUBJECT.raw(body, headers=headers))
        assert envelope.body.__struct_config__.tag == "unsupported"


# --- what is answered in channels ---------------------------------------------------------------------------------


def _observed(event: dict[str, Any], **settings_: Any) -> bool:
    subject = Subject(SUBJECT.registration, msgspec.structs.replace(CONFIG, **settings_), SUBJECT.sign, SUBJECT.secrets)
    (envelope,) = subject.adapter.parse(subject.raw(encoded(callback(event))))
    return envelope.observed


CHANNEL = {"channel": "C1", "channel_type": "channel"}
REPLY = {**CHANNEL, "thread_ts": "1763999999.000900", "parent_user_id": "U2"}


@pytest.mark.parametrize(
    ("event", "mentions", "threads", "all_"),
    [
        (said("hi", **CHANNEL), True, True, False),
        (said("<@UBOT> hi", **CHANNEL), False, False, False),
        (said("hi", **REPLY), True, False, False),
        (said("hi", **{**REPLY, "parent_user_id": "UBOT"}), False, False, False),
        (said("hi", **CHANNEL, thread_ts="1764000000.000100"), True, True, False),
        (said("hi <@UBOTTOM>", **CHANNEL), True, True, False),
        (said("hi", bot_id="B9", **CHANNEL), True, True, True),
        (said("hi"), False, False, False),
    ],
)
def test_what_is_answered(event: dict[str, Any], mentions: bool, threads: bool, all_: bool) -> None:
    """By the setting `answer`; direct messages always, bots never."""
    found = [_observed(event, answer=answer) for answer in ("mentions", "threads", "all")]
    assert found == [mentions, threads, all_]


def test_colleagues() -> None:
    """Our own people in a shared channel are the business; the other company's are customers."""
    config = msgspec.structs.replace(CONFIG, answer="all", colleagues=True)
    subject = Subject(SUBJECT.registration, config, SUBJECT.sign, SUBJECT.secrets)
    own, foreign, direct = said(**CHANNEL), said(user_team="T9", **CHANNEL), said()
    found = [subject.adapter.parse(subject.raw(encoded(callback(event))))[0] for event in (own, foreign, direct)]
    assert [(e.author, e.observed) for e in found] == [("business", True), ("customer", False), ("customer", False)]


def test_our_own_user_may_be_a_setting() -> None:
    """Where a payload does not tell who we are."""
    event = said("<@UBOT> hi", **CHANNEL)
    for bot_user, observed in (("UBOT", False), (None, True)):
        config = Config(team_id="T1", bot_user_id=bot_user)
        subject = Subject(SUBJECT.registration, config, SUBJECT.sign, SUBJECT.secrets)
        (envelope,) = subject.adapter.parse(subject.raw(encoded(callback(event, authorizations=None))))
        assert envelope.observed is observed


# --- bad input ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        b"", b"null", b"5", b'"text"', b"[]", b"{", b"\xff\xfe", b"\x00", b"<html></html>", b'{"type":"x"} trailing',
        b"[" * 1_000_000, b"[" * 500_000 + b"]" * 500_000, b'{"type":"event_callback","event":' + b"[" * 1_000_000,
        b'{"event":' * 200_000, b"payload=" + b"[" * 1_000_000, b"payload=%7B", b"payload=",
        b"token=" + b"&" * 1_000_000,
    ],
    ids=lambda body: f"{body[:12]!r} of {len(body)}",
)  # fmt: skip
def test_what_is_nothing_of_theirs_is_malformed(body: bytes) -> None:
    """Signed, but no request at all: kept by the gateway and listed, never an accident; and soon told."""
    assert check_survives(SUBJECT, body) is None
    with pytest.raises(Malformed):
        SUBJECT.adapter.parse(SUBJECT.raw(body))


@pytest.mark.parametrize("case", [case for case in CASES if case.body != b"{}"], ids=str)
@given(data=st.data())
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_one_thing_wrong(case: InboundCase, data: st.DataObject) -> None:
    """Any key dropped, nulled or of another type is an envelope still."""
    if case in JSON_CASES:
        _, changed = data.draw(mutations(json.loads(case.body)))
        assert check_survives(SUBJECT, encoded(changed))
        return
    check_survives(SUBJECT, data.draw(form_mutations(case.body))[1], beside={"content-type": FORM})


@given(JSON)
@settings(max_examples=150, deadline=None)
def test_any_json_survives(document: Any) -> None:
    """Whatever stands in the place of a request, an event, a message, a file, an action."""
    places = [
        document, callback(document), callback(said(files=[document], attachments=[document])),
        callback({"type": "message", "subtype": "message_changed", "channel": "C1", "message": document}),
        callback({"type": "reaction_added", "item": document}),
        {"type": "block_actions", "actions": [document], "container": document, "user": document},
        {"type": "view_submission", "view": document}, {"command": "/x", "text": document},
    ]  # fmt: skip
    for place in places:
        check_survives(SUBJECT, encoded(place))


@pytest.mark.parametrize(
    ("inside", "want"),
    [
        (b'"a\\ud800b"', "a\ufffdb"),
        (b'"a\\udc00b"', "a\ufffdb"),
        (b'"\\ud83d\\ude00"', "😀"),
        (b'"a\\u0000b"', "ab"),
        (b'"a\xffb"', "a\ufffdb"),
    ],
)
def test_text_that_databases_refuse(inside: bytes, want: str) -> None:
    """Lone surrogates, NUL and bytes that are no UTF-8 are mended by the time it is sealed."""
    from normalizer.codec import seal

    envelopes = check_survives(SUBJECT, encoded(callback(said("@"))).replace(b'"@"', inside))
    assert envelopes is not None
    assert seal(envelopes[0])[0].body == Message(parts=(Text(want),))


def test_numbers_beyond_every_type() -> None:
    """Huge numbers where others are expected cost nothing but themselves."""
    body = encoded(callback(said(files=[{"id": "F1", "size": "@"}]), event_time="@"))
    for number in (b"1e999999", b"1" * 5000, b"-1e-999999", b"-5"):
        envelopes = check_survives(SUBJECT, body.replace(b'"@"', number))
        assert envelopes is not None
        assert envelopes[0].external_id == "D1:1764000000.000100"


@pytest.mark.parametrize("text", ["<" * 300_000, "<@UBOT> " * 40_000, "&amp;" * 200_000, "<a|" * 300_000])
def test_long_texts_take_no_time(text: str) -> None:
    """Slack cuts at 40,000 characters; we do not rely on it."""
    assert check_survives(SUBJECT, encoded(callback(said(text))))
