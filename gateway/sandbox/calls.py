"""A telephone that people speak into: calls over the simulated telephone company, its sockets among them.

What is spoken comes as text, at once; a caller hears it at the speed of a voice. `shown_s` of a line says how long.

Rule: the simulator plays the documents; here is what the caller does and sees.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal

from msgspec import Meta, Struct

from adapters.base import Reply, Request
from adapters.twilio_voice.simulator import Twilio
from adapters.twilio_voice.simulator_call import Call
from adapters.twilio_voice.simulator_doing import Dialling, Gathering, Queued, RecordingIt, Relaying
from adapters.twilio_voice.simulator_relay import Relay
from adapters.twilio_voice.simulator_world import OVER, Fault, Heard
from gateway.core import Core
from gateway.sandbox.news import News
from gateway.sandbox.people import Person
from gateway.sandbox.phones import Refused
from gateway.sandbox.place import (
    MOST_FAULTS,
    Card,
    Choice,
    Knob,
    Posting,
    Receipts,
    Stored,
    Words,
    file_path,
    hook,
    ids_of,
)
from gateway.sandbox.relays import Relays
from gateway.settings import Endpoint

LISTENS = ("talking", "choosing", "recording")
ANONYMOUS = "anonymous"
State = Literal["idle", "ringing", "talking", "choosing", "recording", "transfer", "queue", "waiting", "ended"]


class Switches(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    callbacks: Receipts = "on"
    duplicates: bool = False
    reorder: bool = False
    expired_media: bool = False
    people: Literal["answer", "busy", "no-answer", "wait"] = "wait"
    faults: Annotated[tuple[Fault, ...], Meta(max_length=MOST_FAULTS)] = ()


class Ring(Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", tag="ring"):
    caller: Literal["attested", "unproven", "anonymous"] = "attested"


class Speak(Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", tag="say"):
    text: Words


class Press(Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", tag="press"):
    digits: Annotated[str, Meta(pattern=r"^[0-9*#]{1,20}$")]


class Interrupt(Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", tag="interrupt"):
    heard: Annotated[str, Meta(max_length=4096)] | None = None
    """As far as was listened. None: to the middle."""


class HangUp(Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", tag="hang_up"):
    pass


class PickUp(Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", tag="pick_up"):
    """The customer answers a call of ours."""


class Colleague(Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", tag="colleague"):
    """What becomes of a transfer."""

    status: Literal["completed", "busy", "no-answer"] = "completed"


class Lost(Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", tag="lose"):
    """The relay's socket breaks."""


InCall = Speak | Press | Interrupt | HangUp | PickUp | Colleague | Lost


class Spoken(Struct, kw_only=True, omit_defaults=True):
    """One utterance, or a key, or something that happened."""

    id: str
    who: Literal["caller", "voice", "event"]
    text: str
    at: datetime
    how: str = ""
    heard: str | None = None
    """As far as the caller listened, when he interrupted."""
    file: str | None = None


class CallScreen(Struct, frozen=True, kw_only=True):
    version: int
    id: str | None
    state: State
    inward: bool
    caller: str
    legs: tuple[str, ...]
    now: datetime
    lines: tuple[Spoken, ...]
    complaints: tuple[str, ...]


class Kept:
    """A call, and what is remembered of its caller's part."""

    def __init__(self, call: Call, caller: str) -> None:
        self.call, self.caller = call, caller
        self.own: list[Spoken] = []
        self.cut: dict[int, str] = {}
        """By the place among what was heard: as far as the caller listened."""


class Calls(Posting[Twilio]):
    patience_s = 15.0
    Action: ClassVar[Any] = Ring | InCall

    def __init__(self, core: Core, endpoint: Endpoint, news: News) -> None:
        super().__init__(core, endpoint, news)
        settings: Any = endpoint.settings
        self.simulator = Twilio(
            account_sid=settings.account_sid, auth_token=settings.auth_tokens[0], number=settings.account,
            voice_url=hook(core, endpoint), status_url=f"{hook(core, endpoint)}/status", ids=ids_of(core),
            api_url=settings.api_url, plain=True,
        )  # fmt: skip
        self.simulator.world.people = "wait"
        self._kept: dict[str, Kept] = {}
        """The latest call of each person, by phone."""
        self._relays = Relays(self.simulator, news, core.clock)

    @property
    def card(self) -> Card:
        return Card(id=self.id, face="call", title="Call", address=self.simulator.world.number, channels=self.channels,
                    hint="Type what the caller says. What we say is written as it is spoken.",
                    tries=("How long do I have to return something?", "Can I talk to a person?"),
                    faults=FAULTS, knobs=KNOBS)  # fmt: skip

    # --- what callers do ------------------------------------------------------------------------------------------

    def act(self, person: Person, action: Any) -> str:
        now = self.core.clock.now()
        if isinstance(action, Ring):
            done = self._ring(person, action, now)
        else:
            done = self._do(self._current(person), action, now)
        self.news.changed()
        return done

    def _ring(self, person: Person, action: Ring, now: datetime) -> str:
        kept = self._latest(person)
        if kept is not None and kept.call.status not in OVER:
            raise Refused(409, "in_a_call", "one call at a time: hang up first")
        caller = ANONYMOUS if action.caller == "anonymous" else person.number
        call = self.simulator.ring(caller, now, attested=action.caller == "attested")
        self._kept[person.phone] = Kept(call, action.caller)
        return call.sid

    def _current(self, person: Person) -> Kept:
        kept = self._latest(person)
        if kept is None or kept.call.status in OVER:
            raise Refused(409, "no_call", "there is no call; begin one with ring")
        return kept

    def _latest(self, person: Person) -> Kept | None:
        """A call that the gateway has placed is the latest, too."""
        kept = self._kept.get(person.phone)
        for call in self.simulator.calls.values():
            to_them = call.outward and call.caller == person.number and call.status not in OVER
            if to_them and (kept is None or kept.call is not call):
                kept = self._kept[person.phone] = Kept(call, "attested")
        return kept

    def _do(self, kept: Kept, action: InCall, now: datetime) -> str:
        call = kept.call
        match action:
            case Speak(text=text):
                self._check_listens(call)
                self._note(kept, text, "say", now)
                self._send(call, call.says(text, now))
            case Press(digits=digits):
                self._note(kept, digits, "keys", now)
                self._send(call, call.presses(digits, now))
            case Interrupt(heard=heard):
                self._interrupt(kept, heard)
            case HangUp():
                doing = call.doing
                call.hangs_up(now)
                if isinstance(doing, Relaying):
                    self._relays.end(doing.relay)
            case PickUp():
                self.simulator.pick_up(call, now)
            case Colleague(status=status):
                call.colleague(status, now)
            case Lost():
                self._relays.lose(_relay(call))
        return call.sid

    def _send(self, call: Call, frames: Sequence[str]) -> None:
        """There are some only while a relay listens."""
        if isinstance(call.doing, Relaying):
            self._relays.send(call.doing.relay, frames)

    def _check_listens(self, call: Call) -> None:
        if _state(call) not in LISTENS:
            raise Refused(409, "nobody_listens", f"nobody listens while the call is {_state(call)}")

    def _note(self, kept: Kept, text: str, how: str, now: datetime) -> None:
        kept.own.append(Spoken(id=f"c{len(kept.own)}", who="caller", text=text, at=now, how=how))

    def _interrupt(self, kept: Kept, heard: str | None) -> None:
        call = kept.call
        relay = _relay(call)
        voice = [spoken for spoken in self._lines(kept) if spoken.who == "voice"]
        said = voice[-1].text if voice else ""
        heard = said[: len(said) // 2] if heard is None or not said.startswith(heard) else heard
        kept.cut[len(voice) - 1] = heard
        self._relays.send(relay, relay.interrupts(heard, ms=60 * len(heard)))

    # --- what they see --------------------------------------------------------------------------------------------

    def screen(self, person: Person) -> CallScreen:
        kept, version, now = self._latest(person), self.news.version, self.core.clock.now()
        if kept is None:
            return CallScreen(version=version, id=None, state="idle", inward=False, caller="attested",
                              legs=(f"tel:{person.number}",), now=now, lines=(), complaints=())  # fmt: skip
        call = kept.call
        legs = (f"call:{call.sid}",) if kept.caller == ANONYMOUS else (f"tel:{person.number}",)
        complaints = tuple(f"{one.code} {one.text}" for one in self.simulator.world.complaints[-3:])
        return CallScreen(version=version, id=call.sid, state=_state(call), inward=call.outward, caller=kept.caller,
                          legs=legs, now=now, lines=tuple(self._lines(kept)), complaints=complaints)  # fmt: skip

    def _lines(self, kept: Kept) -> list[Spoken]:
        """In the order of the talk: pieces of one utterance are put together."""
        pieces: list[Spoken | Heard] = [*kept.call.heard, *kept.own]
        pieces.sort(key=lambda one: one.at)
        lines: list[Spoken] = []
        for piece in pieces:
            last = lines[-1] if lines else None
            if isinstance(piece, Spoken):
                lines.append(piece)
            elif last is not None and last.who == "voice" and last.how == piece.how == "relay":
                last.text += piece.text if last.text[-1:].isspace() or piece.text[:1].isspace() else f" {piece.text}"
            else:
                lines.append(Spoken(id=f"v{len(lines)}", who="voice", text=piece.text, at=piece.at, how=piece.how))
        for place, spoken in enumerate(one for one in lines if one.who == "voice"):
            spoken.heard = kept.cut.get(place)
        return lines + self._recordings(kept)

    def _recordings(self, kept: Kept) -> list[Spoken]:
        return [
            Spoken(id=one.sid, who="event", text="The message was recorded.", at=one.there_from, how="recording",
                   file=file_path(self.id, one.sid))
            for one in self.simulator.world.recordings.values() if one.call == kept.call.sid
        ]  # fmt: skip

    def file(self, id: str) -> Stored | None:
        """A recording is its words: nothing here has a voice."""
        found = self.simulator.world.recordings.get(id)
        return Stored("text/plain", found.data.partition(b"\x03")[2]) if found is not None else None

    # --- the provider ---------------------------------------------------------------------------------------------

    def due(self, now: datetime) -> Sequence[Request]:
        due = super().due(now)
        self._relays.open()
        return due

    def delivered(self, request: Request, reply: Reply | None, now: datetime) -> None:
        self.simulator.answered(request, reply, now)
        self.news.changed()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self._relays.close)
            await stack.enter_async_context(super().running())
            yield

    # --- switches -------------------------------------------------------------------------------------------------

    @property
    def switches(self) -> Switches:
        world = self.simulator.world
        return Switches(callbacks=world.callbacks, duplicates=world.duplicates, reorder=world.reorder,
                        expired_media=world.expired_recordings, people=world.people,
                        faults=tuple(world.faults))  # fmt: skip

    def switch(self, wanted: Switches) -> None:
        world = self.simulator.world
        world.callbacks, world.duplicates, world.reorder = wanted.callbacks, wanted.duplicates, wanted.reorder
        world.expired_recordings, world.people = wanted.expired_media, wanted.people
        world.faults[:] = wanted.faults
        self.news.changed()


def _relay(call: Call) -> Relay:
    """Raises Refused."""
    if not isinstance(call.doing, Relaying) or not call.doing.relay.open:
        raise Refused(409, "no_socket", "the call has no socket now")
    return call.doing.relay


def _state(call: Call) -> State:
    if call.status in OVER:
        return "ended"
    match call.doing:
        case Relaying(relay=relay):
            return "talking" if relay.open else "waiting"
        case Gathering():
            return "choosing"
        case RecordingIt():
            return "recording"
        case Dialling():
            return "transfer"
        case Queued():
            return "queue"
        case _:
            return "ringing" if call.status in ("ringing", "queued") else "waiting"


FAULTS = (
    Choice("429", "429 slow down", "Too many requests"),
    Choice("500", "500 error", "The provider has trouble"),
    Choice("slow", "Timeout", "The answer comes after 30 s, it was done"),
    Choice("lost", "Lost answer", "It is done, the connection breaks"),
    Choice("html", "502 page", "A proxy answers with HTML"),
    Choice("401", "401 token", "The token is refused"),
    Choice("empty", "Empty 200", "An answer that says nothing"),
)
KNOBS = (
    Knob(id="callbacks", label="Callbacks",
         options=(Choice("on", "As usual"), Choice("late", "8 s late"), Choice("missing", "Missing"))),
    Knob(id="people", label="Who is called", text="Colleagues at a transfer, and customers whom we call.",
         options=(Choice("wait", "You decide"), Choice("answer", "Answer"), Choice("busy", "Busy"),
                  Choice("no-answer", "Nobody"))),
    Knob(id="duplicates", label="Every callback twice", text="Each event must have its effect once."),
    Knob(id="reorder", label="Newest first", text="Callbacks that wait together are told backwards."),
    Knob(id="expired_media", label="Recordings are gone", text="The message stays, without its sound."),
)  # fmt: skip
