"""Who calls, and what a frame says."""

import pytest

from adapters._twilio import Form
from adapters.twilio_voice.wire import (
    Note,
    caller_of,
    covers,
    dialable,
    frame_of,
    kind_of,
    note_text,
    read_note,
    route_of,
    sid,
    slice_of,
    tag,
    whole,
    word,
)
from normalizer.address import Address, Scheme, parse_address
from normalizer.envelope import Evidence
from tests.adapters.twilio_voice.support import ATTESTED, CALL, CALLER, NUMBER, fields

ANONYMOUS = f"call:{CALL}"


def found(**more: str) -> tuple[str, Evidence, bool] | None:
    caller = caller_of(Form({name: [value] for name, value in fields(**more).items()}))
    return None if caller is None else (str(caller.address), caller.evidence, caller.outward)


def test_a_number_that_its_carrier_vouches_for() -> None:
    assert found(**ATTESTED) == (f"tel:{CALLER}", Evidence.CHANNEL, False)


@pytest.mark.parametrize(
    "verstat",
    ["", "TN-Validation-Passed-B", "TN-Validation-Passed-C", "TN-Validation-Failed-A", "No-TN-Validation",
     "TN-Validation-Passed-A ", "tn-validation-passed-a", "TN-Validation-Passed-A-Diverted"],
)  # fmt: skip
def test_any_other_number_is_merely_claimed(verstat: str) -> None:
    assert found(StirVerstat=verstat) == (f"tel:{CALLER}", Evidence.CLAIMED, False)


@pytest.mark.parametrize(
    "number",
    ["+266696687", "+7378742833", "+2562533", "+8566696687", "anonymous", "Anonymous", "Restricted", "unavailable",
     "+", "+0123456789", "266696687", "384387", "+155500011112222999", "+1555000x111", "sip:broken", "client:"],
)  # fmt: skip
def test_whoever_has_no_number_is_the_call_itself(number: str) -> None:
    """Also with a word of attestation beside it: there is nothing that it could attest."""
    assert found(From=number, Caller=number, **ATTESTED) == (ANONYMOUS, Evidence.CHANNEL, False)


def test_a_blank_number_is_looked_for_in_caller() -> None:
    assert found(From="") == (f"tel:{CALLER}", Evidence.CLAIMED, False)
    assert found(From="", Caller="") == (ANONYMOUS, Evidence.CHANNEL, False)


@pytest.mark.parametrize(
    ("number", "address", "evidence"),
    [
        ("sip:ann@pbx.Example", "sip:ann@pbx.example", Evidence.CLAIMED),
        ("sips:ann@pbx.example:5061;transport=tls", "sip:ann@pbx.example", Evidence.CLAIMED),
        ("client:ann", "sip:client/ann", Evidence.CHANNEL),
    ],
)
def test_telephones_without_a_number(number: str, address: str, evidence: Evidence) -> None:
    assert found(From=number) == (address, evidence, False)


def test_whom_we_call_is_in_to_and_is_reached_there() -> None:
    assert found(Direction="outbound-api", From=NUMBER, To=CALLER) == (f"tel:{CALLER}", Evidence.CHANNEL, True)


def test_the_other_end_of_a_transfer_is_nobody() -> None:
    assert found(Direction="outbound-dial", From=CALLER, To="+15559990000") is None


@pytest.mark.parametrize("call", ["", "CA", "RE" + "0" * 32, "CA-1", "CA" + "1" * 65])
def test_without_a_call_there_is_nobody(call: str) -> None:
    assert found(CallSid=call) is None


@pytest.mark.parametrize(
    ("address", "to"),
    [
        ("tel:+15550001111", "+15550001111"),
        ("sip:ann@pbx.example", "sip:ann@pbx.example"),
        ("sip:client/ann", "client:ann"),
        (ANONYMOUS, None),
        ("tel:911", None),
        ("mailto:a@b.example", None),
    ],
)
def test_who_can_be_called(address: str, to: str | None) -> None:
    assert dialable(parse_address(address)) == to


@pytest.mark.parametrize(
    ("value", "count"),
    [(460, 460), ("460", 460), (460.4, 460), ("460.6", 461), ("", None), (None, None), ("x", None), (True, None),
     (-1, None), ("nan", None), ("inf", None), (2**40, None), ([], None), ("9" * 400, None)],
)  # fmt: skip
def test_counts_come_in_many_forms(value: object, count: int | None) -> None:
    assert whole(value) == count


@pytest.mark.parametrize("body", [b"", b"null", b"5", b"[]", b'"x"', b"{", b"\xff", b"[" * 100_000, b'{"a":' * 50_000])
def test_what_is_no_frame(body: bytes) -> None:
    assert frame_of(body) is None


def test_words_of_a_frame() -> None:
    frame = {"type": "setup", "customParameters": {"ticket": "x", "odd": 5}, "list": []}
    assert word(frame, "customParameters", "ticket") == "x"
    assert [word(frame, *path) for path in (("customParameters", "odd"), ("list", "x"), ("no",), ("type", "x"))] == [
        ""
    ] * 4


@pytest.mark.parametrize(
    ("frame", "kind"),
    [({"type": "prompt"}, "prompt"), ({"event": "media"}, "stream/media"), ({}, ""), ({"type": 5, "event": []}, "")],
)
def test_kinds(frame: dict[str, object], kind: str) -> None:
    assert kind_of(frame) == kind


def test_an_unreadable_frame_is_kept_as_its_text() -> None:
    assert bytes(slice_of(b"\xff{", None)) == '"\ufffd{"'.encode()
    assert bytes(slice_of(b'{"a":1}', {"a": 1})) == b'{"a":1}'


def test_a_note_comes_back() -> None:
    note = Note(CALL, "VX1", f"tel:{CALLER}", 1, True)
    assert read_note(note_text(note)) == note
    assert note.caller.address == Address(Scheme.TEL, CALLER)
    assert (note.caller.evidence, note.caller.outward) == (Evidence.CLAIMED, True)


@pytest.mark.parametrize("text", ["", "x", "[]", "{}", '["CA","VX","pigeon:1",2]', '["CA","VX","tel:1",9]', "[" * 9999])
def test_what_is_no_note(text: str) -> None:
    assert read_note(text) is None


@pytest.mark.parametrize("value", [CALL, "CA1234567890ABCDE", "CA1"])
def test_a_call_is_told_by_how_its_id_begins(value: str) -> None:
    """How long ids are is the provider's business, and nobody is hung up on for it."""
    assert sid(value) == value


@pytest.mark.parametrize("value", [None, 5, "", "CA", "RE1", "CA/x", "CA1?x", "CA1\n", "CAé", "CA" + "1" * 65])
def test_what_is_no_call(value: object) -> None:
    assert sid(value) is None


@pytest.mark.parametrize(
    ("text", "want"),
    [("en", "en"), ("es-ES", "es-ES"), ("zh-Hant-TW", "zh-Hant-TW"), ("", None), ("e", None), ("en_US", None),
     ("en-US\n", None), ("<en>", None), ("en-" + "x" * 9, None), ("é", None)],
)  # fmt: skip
def test_a_language(text: str, want: str | None) -> None:
    assert tag(text) == want


@pytest.mark.parametrize(
    ("path", "facts", "want"),
    [
        ("", {}, ""),
        ("/", {}, ""),
        ("/incoming", {}, ""),
        ("/anything", {"CallStatus": "ringing"}, ""),
        ("/anything", {"CallStatus": "in-progress"}, "/anything"),
        ("/anything", {}, "/anything"),
        ("/turn", {"CallStatus": "ringing"}, "/turn"),
        ("/voice/turn/", {}, "/turn"),
        ("", {"CallStatus": "completed"}, "/status"),
        ("", {"CallStatus": "ringing", "CallbackSource": "call-progress-events"}, "/status"),
        ("/x", {"CallStatus": "completed", "RecordingSid": "RE1", "CallbackSource": "call-progress-events"}, "/status"),
        ("/x", {"SessionStatus": "failed"}, "/after"),
        ("/x", {"DialCallStatus": "busy", "RecordingUrl": "u"}, "/dial-done"),
        ("/x", {"QueueResult": "bridged"}, "/queue-done"),
        ("/x", {"StreamEvent": "stream-started"}, "/stream"),
        ("/x", {"RecordingSid": "RE1", "RecordingStatus": "completed"}, "/recording"),
        ("/x", {"RecordingSid": "RE1", "TranscriptionSid": "TR1"}, "/recording"),
        ("/x", {"RecordingSid": "RE1", "Digits": "hangup"}, "/voicemail"),
        ("/x", {"SpeechResult": "hi"}, "/turn"),
        ("/x", {"Digits": "1"}, "/turn"),
        ("", {"Digits": ""}, ""),
    ],
)
def test_a_route(path: str, facts: dict[str, str], want: str) -> None:
    assert route_of(path, Form({name: [value] for name, value in facts.items()})) == want


def test_a_language_covers_its_regions() -> None:
    pairs = [("en", "en-GB"), ("EN-gb", "en-GB"), ("en-GB", "en"), ("en-US", "en-GB"), ("e", "en")]
    assert [covers(*pair) for pair in pairs] == [True, True, False, False, False]
