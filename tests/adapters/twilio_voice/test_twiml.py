"""Steps as TwiML: the documents themselves, written by hand."""

from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit
from xml.etree import ElementTree as ET

import pytest

from adapters.twilio_voice.config import Config
from adapters.twilio_voice.plan import (
    Await,
    Connect,
    Dial,
    Enqueue,
    Goodbye,
    Leave,
    Listen,
    Menu,
    Nothing,
    Step,
    Voicemail,
    Waiting,
    Words,
)
from adapters.twilio_voice.ticket import Tickets
from adapters.twilio_voice.twiml import MAX_BYTES, SAY_CHARS, Scene, Writer, live_url, pieces
from adapters.twilio_voice.wire import Caller, who
from normalizer.address import parse_address
from normalizer.envelope import Evidence
from tests.adapters.twilio_voice.support import CALL, CALLER, LEG, NUMBER, SETTINGS, TOKEN, our_ticket
from tests.kit import HOOK_URL
from tests.kit.cases import ENDPOINT, NOW

TICKETS = Tickets((TOKEN,), ENDPOINT)
OURS = our_ticket()
SCENE = Scene(base=HOOK_URL, call=CALL, caller=Caller(parse_address(LEG), Evidence.CHANNEL), now=NOW, ticket=OURS)
T = f"?t={OURS}"
STEPS: list[Step] = [
    Connect(), Connect(greet=False, failed_s=5), Listen(("Hi",), 3), Await(("Hi",), 3, 8), Menu(),
    Dial(("x",), "+15559990000"), Enqueue(("x",), "desk"), Waiting(), Leave(), Voicemail(("x",)), Goodbye(("x",)),
]  # fmt: skip


def written(step: Step, scene: Scene = SCENE, **changes: Any) -> str:
    text = Writer(Config(**{**SETTINGS, **changes}), TICKETS).text(step, scene)
    return text.removeprefix('<?xml version="1.0" encoding="UTF-8"?>')


def short(text: str) -> str:
    return text.replace(OURS, "T").replace("https://gateway.example.org/hooks/endpoint", "")


SAY = '<Say language="en-US">'


@pytest.mark.parametrize(
    ("step", "want"),
    [
        (Nothing(), "<Response />"),
        (Leave(), "<Response><Leave /></Response>"),
        (Goodbye(("Tom & <Jerry>",)), f"<Response>{SAY}Tom &amp; &lt;Jerry&gt;</Say><Hangup /></Response>"),
        (Goodbye(("",)), "<Response><Hangup /></Response>"),
        (Dial(("One moment.",), "+15559990000"),
         f'<Response>{SAY}One moment.</Say><Dial action="/dial-done?t=T" answerOnBridge="true" '
         f'callerId="{CALLER}" method="POST" timeout="25"><Number>+15559990000</Number></Dial></Response>'),
        (Enqueue(("One moment.",), "desk & co"),
         f'<Response>{SAY}One moment.</Say><Enqueue action="/queue-done?t=T" method="POST" '
         'waitUrl="/wait?t=T" waitUrlMethod="POST">desk &amp; co</Enqueue></Response>'),
        (Waiting(), f'<Response>{SAY}One moment, please.</Say><Pause length="15" /></Response>'),
        (Listen(("Hi.", "There."), 3),
         '<Response><Gather action="/turn?t=T&amp;a=3" actionOnEmptyResult="false" input="speech dtmf" '
         'language="en-US" method="POST" speechTimeout="auto" timeout="6">'
         f'{SAY}Hi.</Say>{SAY}There.</Say></Gather>'
         '<Redirect method="GET">/answer?t=T&amp;a=3&amp;q=1</Redirect></Response>'),
        (Await(("Wait.",), 4, 8),
         f'<Response>{SAY}Wait.</Say><Redirect method="GET">/answer?t=T&amp;a=4&amp;w=8</Redirect></Response>'),
        (Listen((), 3, play=("https://x.example/a?b&c",)),
         '<Response><Gather action="/turn?t=T&amp;a=3" actionOnEmptyResult="false" input="speech dtmf" '
         'language="en-US" method="POST" speechTimeout="auto" timeout="6">'
         '<Play>https://x.example/a?b&amp;c</Play></Gather>'
         '<Redirect method="GET">/answer?t=T&amp;a=3&amp;q=1</Redirect></Response>'),
        (Listen((Words("¿Qué?", "es-ES"), "Hi."), 3, language="es-ES"),
         '<Response><Gather action="/turn?t=T&amp;a=3&amp;l=es-ES" actionOnEmptyResult="false" input="speech dtmf" '
         'language="es-ES" method="POST" speechTimeout="auto" timeout="6">'
         f'<Say language="es-ES">¿Qué?</Say>{SAY}Hi.</Say></Gather>'
         '<Redirect method="GET">/answer?t=T&amp;a=3&amp;q=1&amp;l=es-ES</Redirect></Response>'),
        (Await((Words("Hi.", "en"),), 4, 8, language="es-ES"),
         f'<Response>{SAY}Hi.</Say>'
         '<Redirect method="GET">/answer?t=T&amp;a=4&amp;w=8&amp;l=es-ES</Redirect></Response>'),
        (Menu(1),
         '<Response><Gather action="/menu?t=T&amp;n=1" actionOnEmptyResult="true" input="dtmf speech" '
         'language="en-US" method="POST" numDigits="1" timeout="5">'
         f'{SAY}Our assistant can not be reached. Press 1 to speak to somebody, 2 to be called back, 3 to leave a '
         'message.</Say></Gather><Redirect method="POST">/queue?t=T</Redirect></Response>'),
        (Voicemail(("Leave a message.",)),
         f'<Response>{SAY}Leave a message.</Say><Record action="/voicemail?t=T" finishOnKey="#" maxLength="120" '
         'method="POST" playBeep="true" recordingStatusCallback="/recording?t=T#rc=5&amp;rp=all" '
         'recordingStatusCallbackMethod="POST" timeout="5" transcribe="true" '
         'transcribeCallback="/recording?t=T#rc=5&amp;rp=all" />'
         f'{SAY}Thank you. Goodbye.</Say><Hangup /></Response>'),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, str) else "",
)  # fmt: skip
def test_documents(step: Step, want: str) -> None:
    assert short(written(step)) == want


def test_a_voice_speaks_its_own_language_alone() -> None:
    """That of the settings; of another one the provider chooses it."""
    said = Listen(("Hi.", Words("Hello.", "en"), Words("Hola.", "es-ES")), 3)
    gather, _ = ET.fromstring(written(said, mode="gather", voice="Polly.Joanna"))
    ours = {"language": "en-US", "voice": "Polly.Joanna"}
    assert [say.attrib for say in gather] == [ours, ours, {"language": "es-ES"}]


def test_the_relay() -> None:
    text = written(Connect(), voice="en-US-Neural2-F", tts_provider="Google", transcription_provider="Deepgram",
                   hints="throughline", interruptible="speech")  # fmt: skip
    connect, redirect = ET.fromstring(text)
    (relay,) = connect
    (parameter,) = relay
    assert connect.attrib == {"action": f"{HOOK_URL}/after{T}", "method": "POST"}
    assert (redirect.text, redirect.attrib) == (f"{HOOK_URL}/after{T}", {"method": "POST"})
    assert relay.attrib == {
        "url": "wss://gateway.example.org/live/endpoint", "welcomeGreeting": "Hello. How can I help you?",
        "language": "en-US", "voice": "en-US-Neural2-F", "ttsProvider": "Google", "transcriptionProvider": "Deepgram",
        "hints": "throughline", "interruptible": "speech", "welcomeGreetingInterruptible": "speech",
        "dtmfDetection": "true",
    }  # fmt: skip
    found = TICKETS.read(parameter.attrib["value"])
    assert parameter.attrib["name"] == "ticket"
    assert found is not None
    assert (found.call, found.address, found.since_at) == (CALL, LEG, NOW)


def test_without_a_greeting_there_is_none() -> None:
    (relay,) = ET.fromstring(written(Connect(), say_greeting=" ")).iter("ConversationRelay")
    assert not {"welcomeGreeting", "welcomeGreetingInterruptible"} & set(relay.attrib)


def test_a_relay_that_comes_back_says_the_last_seconds_again_and_no_greeting() -> None:
    connect, redirect = ET.fromstring(written(Connect(greet=False, failed_s=77)))
    (relay,) = connect
    found = TICKETS.read(relay[0].attrib["value"])
    assert "welcomeGreeting" not in relay.attrib
    assert found is not None
    assert NOW - found.since_at == timedelta(seconds=5)
    assert connect.attrib["action"] == redirect.text == f"{HOOK_URL}/after{T}&f=77"


def test_a_relay_that_was_never_opened_greets_and_misses_nothing() -> None:
    connect, _ = ET.fromstring(written(Connect(greet=True, failed_s=77), media_stream=True))
    (relay,) = connect
    found = TICKETS.read(relay[0].attrib["value"])
    assert relay.attrib["welcomeGreeting"]
    assert found is not None
    assert NOW - found.since_at == timedelta(seconds=5)


def test_a_media_stream_is_opened_once() -> None:
    start, _, _ = ET.fromstring(written(Connect(), media_stream=True))
    (stream,) = start
    assert stream.attrib == {"url": "wss://gateway.example.org/live/endpoint", "track": "inbound_track",
                             "statusCallback": f"{HOOK_URL}/stream{T}"}  # fmt: skip
    assert TICKETS.read(stream[0].attrib["value"]) is not None
    assert "<Start>" not in written(Connect(greet=False), media_stream=True)


@pytest.mark.parametrize(
    ("to", "inner"),
    [("+15559990000", "<Number>+15559990000</Number>"), ("sip:desk@pbx.example", "<Sip>sip:desk@pbx.example</Sip>"),
     ("client:desk", "<Client>desk</Client>")],
)  # fmt: skip
def test_people_are_dialled(to: str, inner: str) -> None:
    assert inner in written(Dial(("",), to))


@pytest.mark.parametrize(("number", "shown"), [(CALLER, CALLER), ("anonymous", NUMBER), ("client:ann", NUMBER),
                                                (f"sip:{CALLER}@pbx.example", NUMBER)])  # fmt: skip
def test_colleagues_see_who_calls(number: str, shown: str) -> None:
    address, evidence = who(number, CALL)
    scene = Scene(base=HOOK_URL, call=CALL, caller=Caller(address, evidence), now=NOW, ticket=OURS)
    assert ET.fromstring(written(Dial(("",), "+15559990000"), scene))[0].attrib["callerId"] == shown


def test_a_call_that_we_placed_shows_our_number() -> None:
    scene = Scene(base=HOOK_URL, call=CALL, caller=Caller(parse_address(LEG), Evidence.CHANNEL, outward=True), now=NOW)
    assert ET.fromstring(written(Dial(("",), "+15559990000"), scene))[0].attrib["callerId"] == NUMBER


def test_without_a_ticket_one_is_written() -> None:
    scene = Scene(base=HOOK_URL, call=CALL, caller=Caller(parse_address(LEG), Evidence.CLAIMED), now=NOW)
    url = ET.fromstring(written(Menu(), scene))[1].text or ""
    found = TICKETS.read(parse_qs(urlsplit(url).query)["t"][0])
    assert found is not None
    assert (found.call, found.address, found.evidence) == (CALL, LEG, 1)


def test_music_while_waiting() -> None:
    assert "<Play>https://x.example/m.mp3</Play>" in written(Waiting(), wait_music_url="https://x.example/m.mp3")


def test_no_transcript_is_asked_for_when_none_is_wanted() -> None:
    text = written(Voicemail(("",)), transcribe=False)
    assert "transcribeCallback" not in text
    assert 'transcribe="false"' in text


@pytest.mark.parametrize("step", STEPS, ids=lambda step: type(step).__name__)
@pytest.mark.parametrize(
    "odd", ["\x00\x07", "\ud800", "&<>\"'", "]]>", "😀" * 5000, "&" * 20_000, "x " * 20_000, "é" * 20_000]
)
def test_whatever_is_said_it_is_xml_below_64_kb(step: Step, odd: str) -> None:
    """Texts that come from outside, and those that an operator has typed."""
    said: dict[str, Any] = {"say": (odd,)} if isinstance(step, Listen | Await) else {}
    said = {"say": odd} if isinstance(step, Dial | Enqueue | Voicemail | Goodbye) else said
    changed = type(step)(**{**{name: getattr(step, name) for name in step.__struct_fields__}, **said})
    text = written(changed, say_wait=odd, say_greeting=odd[:600], say_menu=odd[:600])
    assert ET.fromstring(text).tag == "Response"
    assert len(text.encode()) < MAX_BYTES


def test_a_long_text_is_read_in_pieces() -> None:
    text = "word " * 2000
    found = pieces(text.strip())
    assert max(map(len, found)) <= SAY_CHARS
    assert " ".join(found) == text.strip()
    assert pieces("x" * (SAY_CHARS * 2)) == ["x" * SAY_CHARS] * 2
    assert pieces("") == []


@pytest.mark.parametrize(
    ("base", "url"),
    [
        ("https://gw.example/hooks/voice", "wss://gw.example/live/voice"),
        ("http://127.0.0.1:8080/hooks/voice", "ws://127.0.0.1:8080/live/voice"),
        ("https://gw.example/x/hooks/hooks/", "wss://gw.example/x/live/hooks/"),
    ],
)
def test_sockets_are_beside_the_webhooks(base: str, url: str) -> None:
    assert live_url(base) == url


def test_a_call_that_we_place_says_why_and_then_listens() -> None:
    writer = Writer(Config(**SETTINGS), TICKETS)
    scene = Scene(base=HOOK_URL, call="", caller=Caller(parse_address(LEG), Evidence.CHANNEL, outward=True), now=NOW)
    say, connect, redirect = ET.fromstring(writer.outbound("Your parcel is here.", scene))
    assert (say.text, connect.tag, redirect.tag) == ("Your parcel is here.", "Connect", "Redirect")
    found = TICKETS.read(connect[0][0].attrib["value"])
    assert found is not None
    assert (found.call, found.outward, found.since_at) == ("", True, NOW)
    gather = Writer(Config(**{**SETTINGS, "mode": "gather"}), TICKETS).outbound("Your parcel is here.", scene)
    assert [verb.tag for verb in ET.fromstring(gather)] == ["Say", "Gather", "Say"]
