"""Documents are played as Twilio plays them, and refused as Twilio refuses them."""

from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs

import pytest

from adapters.base import Reply
from adapters.twilio_voice.simulator_call import ERROR, Call
from adapters.twilio_voice.simulator_doing import Dialling, Gathering, Pausing, Queued, RecordingIt, Relaying
from adapters.twilio_voice.simulator_world import World
from tests.adapters.twilio_voice.support import CALLER
from tests.adapters.twilio_voice.test_simulator_world import world
from tests.kit import HOOK_URL
from tests.kit.cases import NOW

XML = {"content-type": "text/xml"}


def playing(inner: str, at: World | None = None) -> Call:
    call = Call(at or world(), CALLER)
    call.answered(Reply(200, XML, f"<Response>{inner}</Response>".encode()), NOW)
    return call


def asked(call: Call) -> tuple[str, dict[str, str]]:
    """The last request."""
    request = call.world.pending[-1].request
    return request.url, {name: values[0] for name, values in
                         parse_qs(request.body.decode(), keep_blank_values=True).items()}  # fmt: skip


def test_the_end_of_a_document_is_the_end_of_the_call() -> None:
    call = playing("<Say>Hi</Say><Play>https://x.example/a</Play>")
    assert [(one.text, one.how) for one in call.heard] == [("Hi", "say"), ("https://x.example/a", "play")]
    assert call.status == "completed"
    assert playing("").status == "completed"


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (None, 11200),
        (Reply(503), 11200),
        (Reply(200, {"content-type": "application/json"}, b"{}"), 12300),
        (Reply(200, {}, b"<Response/>"), 12300),
        (Reply(200, XML, b"<Response>"), 12100),
        (Reply(200, XML, b""), 12100),
        (Reply(200, XML, b"<Other/>"), 12200),
        (Reply(200, XML, b"<Response><Dance/></Response>"), 12200),
        (Reply(200, XML, b"<Response><Say>" + b"x" * 65_536 + b"</Say></Response>"), 11750),
    ],
)
def test_what_is_no_document_ends_the_call_with_an_error(reply: Reply | None, code: int) -> None:
    call = Call(world(), CALLER)
    call.answered(reply, NOW)
    assert [one.code for one in call.world.complaints] == [code]
    assert (call.heard[-1].text, call.status) == (ERROR, "completed")


@pytest.mark.parametrize(
    ("inner", "kind"),
    [
        ('<Pause length="3"/>', Pausing),
        ('<Gather action="/x" timeout="5"><Say>Key?</Say></Gather>', Gathering),
        ('<Record action="/x"/>', RecordingIt),
        ("<Dial><Number>+15559990000</Number></Dial>", Dialling),
        ("<Dial>+15559990000</Dial>", Dialling),
        ("<Enqueue>desk</Enqueue>", Queued),
        ('<Connect><ConversationRelay url="wss://x.example/live/a"/></Connect>', Relaying),
    ],
)
def test_verbs_that_take_time(inner: str, kind: type[Any]) -> None:
    assert isinstance(playing(inner).doing, kind)


def test_a_pause_ends() -> None:
    call = playing('<Pause length="3"/><Say>Hi</Say>')
    call.passes(NOW + timedelta(seconds=2.9))
    assert call.heard == []
    call.passes(NOW + timedelta(seconds=3))
    assert call.heard[-1].text == "Hi"


@pytest.mark.parametrize(
    ("attributes", "does", "told"),
    [
        ('input="speech dtmf"', lambda call: call.says("hi", NOW), {"SpeechResult": "hi", "Confidence": "0.92"}),
        ('input="speech dtmf"', lambda call: call.presses("12", NOW), {"Digits": "12"}),
        ('numDigits="1"', lambda call: call.presses("12", NOW), {"Digits": "1"}),
    ],
)
def test_what_is_gathered_goes_to_the_action(attributes: str, does: Any, told: dict[str, str]) -> None:
    call = playing(f'<Gather action="/hooks/endpoint/x?a=1" {attributes}/>')
    does(call)
    url, fields = asked(call)
    assert url == "https://gateway.example.org/hooks/endpoint/x?a=1"
    assert {name: fields[name] for name in told} == told
    assert fields["CallStatus"] == "in-progress"


def test_what_nobody_listens_for_goes_nowhere() -> None:
    call = playing('<Gather action="/x" input="dtmf"/>')
    assert call.says("hi", NOW) == []
    assert call.world.pending == []
    silent = playing('<Gather action="/x" input="speech"/>')
    assert silent.presses("1", NOW) == []
    assert silent.world.pending == []
    assert playing('<Pause length="9"/>').says("hi", NOW) == []


def test_silence_falls_through_unless_the_action_wants_it() -> None:
    falls = playing('<Gather action="/x" timeout="5"/><Say>Next</Say>')
    falls.passes(NOW + timedelta(seconds=5))
    assert falls.heard[-1].text == "Next"
    wants = playing('<Gather action="/x" timeout="5" actionOnEmptyResult="true"/><Say>Next</Say>')
    wants.passes(NOW + timedelta(seconds=5))
    assert asked(wants)[1]["Digits"] == ""


def test_a_redirect_replaces_the_document() -> None:
    call = playing(f'<Redirect method="GET">{HOOK_URL}/x?a=1</Redirect><Say>never</Say>')
    assert call.heard == []
    assert call.world.pending[-1].request.method == "GET"


def test_an_insecure_url_is_complained_about() -> None:
    call = playing("<Redirect>http://gateway.example.org/x</Redirect>")
    assert [one.code for one in call.world.complaints] == [11205]


def test_a_relay_needs_wss_unless_this_is_one_machine() -> None:
    inner = '<Connect action="/after"><ConversationRelay url="ws://127.0.0.1/live/a"/></Connect>'
    call = playing(inner)
    call.passes(NOW)
    assert [one.code for one in call.world.complaints] == [64101]
    assert asked(call)[1]["ErrorCode"] == "64102"
    plain = world()
    plain.plain = True
    assert playing(inner, plain).world.complaints == []


def test_a_relay_without_an_action_goes_on_with_the_next_verb() -> None:
    call = playing('<Connect><ConversationRelay url="wss://x.example/a"/></Connect><Say>Next</Say>')
    assert isinstance(call.doing, Relaying)
    call.doing.relay.lost()
    call.passes(NOW)
    assert call.heard[-1].text == "Next"


def test_only_some_verbs_may_be_played_in_a_queue() -> None:
    call = playing('<Enqueue waitUrl="/wait" action="/done">desk</Enqueue>')
    call.answered(Reply(200, XML, b'<Response><Dial>+1</Dial><Pause length="15"/></Response>'), NOW)
    assert [one.code for one in call.world.complaints] == [12200]


def test_who_hangs_up_while_recording_has_left_a_message() -> None:
    call = playing('<Record action="/voicemail" recordingStatusCallback="/recording"/>')
    call.hangs_up(NOW)
    told = [parse_qs(one.request.body.decode()) for one in call.world.pending]
    assert told[0]["Digits"] == ["hangup"]
    assert told[1]["RecordingStatus"] == ["completed"]
    assert "From" not in told[1]


def test_a_message_can_be_left_only_after_the_tone() -> None:
    assert playing('<Pause length="9"/>').leaves("x", NOW) is None


def test_a_second_status_does_not_change_the_first() -> None:
    call = playing("<Hangup/>")
    call.end("failed", NOW)
    assert call.status == "completed"
    assert playing("<Reject/><Say>never</Say>").heard == []
