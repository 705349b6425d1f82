"""Steps as TwiML, made by Twilio's own builders.

Rule: always valid XML below 64 KB; whatever is said was cleaned before. After every verb that may fall through stands
another one that leads on.
Rule: the URLs that we give carry a ticket: whose call it is, also for the callbacks that name no caller.
See https://www.twilio.com/docs/voice/twiml
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from urllib.parse import urlencode

from msgspec import Struct
from twilio.twiml import TwiML  # type: ignore[import-untyped]
from twilio.twiml.voice_response import Connect as ConnectVerb  # type: ignore[import-untyped]
from twilio.twiml.voice_response import Dial as DialVerb
from twilio.twiml.voice_response import Enqueue as EnqueueVerb
from twilio.twiml.voice_response import Gather, Start, VoiceResponse

from adapters._twilio import TWIML
from adapters.base import Reply
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
    Said,
    Step,
    Voicemail,
    Waiting,
)
from adapters.twilio_voice.speech import spoken
from adapters.twilio_voice.ticket import Ticket, Tickets, ticket
from adapters.twilio_voice.wire import Caller, covers
from normalizer.address import Scheme

SAY_CHARS = 3_000
"""Of one `<Say>`; Twilio takes 4,096."""
MAX_BYTES = 60_000
"""Of a document; Twilio takes 64 KB."""
KEPT_BYTES = 8_000
"""Of it, for all that is not said."""
RETRIED = "#rc=5&rp=all"
"""Twilio asks a URL with this fragment again after any failure; by default it does not.
See https://www.twilio.com/docs/usage/webhooks/webhooks-connection-overrides"""
RESUME_S = 5
"""After a relay was lost, what was said in the last seconds is said again: better twice than never."""


class Scene(Struct, frozen=True, kw_only=True):
    """Where a document is to be played."""

    base: str
    """The endpoint's own URL, without a slash at its end."""
    call: str
    caller: Caller
    now: datetime
    ticket: str | None = None
    """The one that the call has already."""


class Writer:
    """The documents of one endpoint."""

    def __init__(self, config: Config, tickets: Tickets) -> None:
        self._config, self._tickets = config, tickets

    def reply(self, step: Step, scene: Scene) -> Reply:
        return Reply(200, {"content-type": TWIML}, self.text(step, scene).encode())

    def text(self, step: Step, scene: Scene) -> str:
        response, room = VoiceResponse(), MAX_BYTES - KEPT_BYTES
        match step:
            case Connect():
                self._connect(response, step, scene)
            case Listen(say=say, play=play, after=after, silent=silent, language=heard):
                gather = self._gather(self.url(scene, "/turn", a=after, l=heard), heard)
                self._heard(gather, say, play, room)
                response.append(gather)
                response.redirect(self.url(scene, "/answer", a=after, q=silent + 1, l=heard), method="GET")
            case Await(say=say, play=play, after=after, waited_s=waited, language=heard):
                self._heard(response, say, play, room)
                response.redirect(self.url(scene, "/answer", a=after, w=waited, l=heard), method="GET")
            case Menu(wrong=wrong):
                self._menu(response, wrong, scene)
            case Dial(say=say, to=to):
                self._heard(response, say, (), room)
                self._dial(response, to, scene)
            case Enqueue(say=say, queue=queue):
                self._heard(response, say, (), room)
                self._enqueue(response, queue, scene)
            case Waiting():
                self._waiting(response)
            case Leave():
                response.leave()
            case Voicemail(say=say):
                self._voicemail(response, say, room, scene)
            case Goodbye(say=say):
                self._heard(response, say, (), room)
                response.hangup()
            case Nothing():
                pass
        return str(response)

    def outbound(self, say: Said, scene: Scene) -> str:
        """For a call that we place: what is to be said, then the caller's turn."""
        response = VoiceResponse()
        self._heard(response, (say,), (), MAX_BYTES - KEPT_BYTES)
        if self._config.mode == "relay":
            self._connect(response, Connect(greet=False), scene)
        else:
            heard = None if isinstance(say, str) or covers(say.language, self._config.language) else say.language
            response.append(self._gather(self.url(scene, "/turn", l=heard), heard))
            self._heard(response, (self._config.say_goodbye,), (), KEPT_BYTES)
        return str(response)

    # --- the relay ------------------------------------------------------------------------------------------------

    def _connect(self, response: VoiceResponse, step: Connect, scene: Scene) -> None:
        after = self.url(scene, "/after", **({} if step.failed_s is None else {"f": step.failed_s}))
        first = step.greet and step.failed_s is None
        fresh = self._fresh(scene, again=not first and scene.ticket is not None)
        if self._config.media_stream and first:
            self._stream(response, scene, fresh)
        connect = ConnectVerb(action=after, method="POST")
        greeting = spoken(self._config.say_greeting) if step.greet else None
        relay = connect.conversation_relay(
            url=live_url(scene.base),
            welcome_greeting=greeting or None,
            language=self._config.language, voice=self._config.voice, hints=self._config.hints,
            tts_provider=self._config.tts_provider, transcription_provider=self._config.transcription_provider,
            interruptible=self._config.interruptible,
            welcome_greeting_interruptible=self._config.interruptible if greeting else None,
            dtmf_detection=True,
        )  # fmt: skip
        relay.parameter(name="ticket", value=fresh)
        response.append(connect)
        response.redirect(after, method="POST")

    def _stream(self, response: VoiceResponse, scene: Scene, fresh: str) -> None:
        start = Start()
        callback = self.url(scene, "/stream")
        stream = start.stream(url=live_url(scene.base), status_callback=callback, track="inbound_track")
        stream.parameter(name="ticket", value=fresh)
        response.append(start)

    def _fresh(self, scene: Scene, *, again: bool) -> str:
        """A ticket of its own for each socket: it says from when on the wire is shown."""
        since = scene.now - timedelta(seconds=RESUME_S) if again else scene.now
        return self._tickets.sign(self._ticket(scene, since))

    def _ticket(self, scene: Scene, since: datetime) -> Ticket:
        who = scene.caller
        return ticket(scene.call, who.address, who.evidence, scene.now, since=since, outward=who.outward)

    # --- keys and speech ------------------------------------------------------------------------------------------

    def _gather(self, action: str, language: str | None) -> Gather:
        return Gather(
            input="speech dtmf", action=action, method="POST", timeout=6, speech_timeout="auto",
            language=language or self._config.language, hints=self._config.hints, action_on_empty_result=False,
        )  # fmt: skip

    def _menu(self, response: VoiceResponse, wrong: int, scene: Scene) -> None:
        gather = Gather(
            input="dtmf speech", num_digits=1, timeout=5, action_on_empty_result=True,
            action=self.url(scene, "/menu", n=wrong), method="POST", language=self._config.language,
        )  # fmt: skip
        self._heard(gather, (self._config.say_menu,), (), KEPT_BYTES)
        response.append(gather)
        response.redirect(self.url(scene, "/queue"), method="POST")

    # --- people ---------------------------------------------------------------------------------------------------

    def _dial(self, response: VoiceResponse, to: str, scene: Scene) -> None:
        address = scene.caller.address
        shown = address.value if address.scheme is Scheme.TEL else self._config.account
        dial = DialVerb(
            action=self.url(scene, "/dial-done"), method="POST", timeout=self._config.dial_timeout_s,
            answer_on_bridge=True, caller_id=self._config.account if scene.caller.outward else shown,
        )  # fmt: skip
        kind, _, name = to.partition(":")
        if not name:
            dial.number(to)
        elif kind == "client":
            dial.client(name)
        else:
            dial.sip(to)
        response.append(dial)

    def _enqueue(self, response: VoiceResponse, queue: str, scene: Scene) -> None:
        done, wait = self.url(scene, "/queue-done"), self.url(scene, "/wait")
        response.append(EnqueueVerb(queue, action=done, method="POST", wait_url=wait, wait_url_method="POST"))

    def _waiting(self, response: VoiceResponse) -> None:
        self._heard(response, (self._config.say_wait,), (), KEPT_BYTES)
        if self._config.wait_music_url:
            response.play(self._config.wait_music_url)
        response.pause(length=15)

    def _voicemail(self, response: VoiceResponse, say: Sequence[Said], room: int, scene: Scene) -> None:
        self._heard(response, say, (), room)
        recorded = self.url(scene, "/recording") + RETRIED
        response.record(
            action=self.url(scene, "/voicemail"), method="POST", max_length=self._config.record_max_s, timeout=5,
            play_beep=True, finish_on_key="#",
            recording_status_callback=recorded, recording_status_callback_method="POST",
            transcribe=self._config.transcribe, transcribe_callback=recorded if self._config.transcribe else None,
        )  # fmt: skip
        self._heard(response, (self._config.say_goodbye,), (), KEPT_BYTES)
        response.hangup()

    # --- pieces ---------------------------------------------------------------------------------------------------

    def _heard(self, into: TwiML, say: Sequence[Said], play: Sequence[str], room: int) -> None:
        """As much as a document has room for; it is far more than anybody listens to."""
        for said in say:
            text, language = (said, None) if isinstance(said, str) else (said.text, said.language)
            for piece in pieces(spoken(text)):
                room -= len(piece.encode()) + 4 * sum(map(piece.count, "&<>")) + 100
                if room < 0:
                    return
                into.append(_say(piece, language, self._config))
        for url in play:
            into.append(_play(url))

    def url(self, scene: Scene, path: str, **facts: int | str | None) -> str:
        """One of our own routes, with all that it must know."""
        carried = scene.ticket or self._tickets.sign(self._ticket(scene, scene.now))
        known = {name: fact for name, fact in facts.items() if fact is not None}
        return f"{scene.base}{path}?{urlencode({'t': carried, **known})}"


def pieces(text: str) -> list[str]:
    """Between words, each short enough to be read in one go."""
    found = []
    while len(text) > SAY_CHARS:
        cut = text.rfind(" ", 1, SAY_CHARS)
        cut = SAY_CHARS if cut < 0 else cut
        found.append(text[:cut])
        text = text[cut:].lstrip()
    return [*found, text] if text else found


def live_url(base: str) -> str:
    """Where the endpoint's sockets are: beside its webhooks."""
    scheme, _, rest = base.partition("://")
    socket = {"https": "wss", "http": "ws"}.get(scheme, scheme)
    return f"{socket}://{rest.replace('/hooks/', '/live/', 1)}"


def _say(text: str, language: str | None, config: Config) -> TwiML:
    """The voice of the settings speaks their language alone."""
    if language is not None and not covers(language, config.language):
        return VoiceResponse().say(text, language=language)
    voice = config.voice if config.mode == "gather" else None
    return VoiceResponse().say(text, voice=voice, language=config.language)


def _play(url: str) -> TwiML:
    return VoiceResponse().play(url)
