"""The provider's side of a relay socket: what it sends, and what it takes. Whatever it does not know is a fault.

Rule: pure. Who has a socket asks `handshake` and `opened`, gives every frame that comes to `take`, and sends what
`says`, `presses` and `interrupts` return.
See https://www.twilio.com/docs/voice/conversationrelay/websocket-messages
"""

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Literal

from msgspec import Struct

from adapters.base import Request
from adapters.twilio_voice.simulator_world import Fields, Heard, World

Check = Callable[[Any], bool]


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _flag(value: Any) -> bool:
    return isinstance(value, bool)


def _stops(value: Any) -> bool:
    return isinstance(value, bool) or value in ("none", "dtmf", "speech", "any")


def _count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _digits(value: Any) -> bool:
    return isinstance(value, str) and bool(value) and not set(value) - set("0123456789*#wW")


SCHEMA: Mapping[str, Mapping[str, tuple[Check, bool]]] = {
    "text": {"token": (_text, True), "last": (_flag, True), "lang": (_text, False), "interruptible": (_stops, False),
             "preemptible": (_flag, False)},
    "play": {"source": (_text, True), "loop": (_count, False), "interruptible": (_stops, False),
             "preemptible": (_flag, False)},
    "sendDigits": {"digits": (_digits, True)},
    "language": {"ttsLanguage": (_text, False), "transcriptionLanguage": (_text, False)},
    "end": {"handoffData": (_text, False)},
}  # fmt: skip
"""By type: what may stand in a frame, and whether it must."""


class Ended(Struct, frozen=True):
    """How a session ended."""

    status: Literal["ended", "completed", "failed"]
    handoff: str | None = None
    error: int | None = None
    text: str = ""


class Relay:
    """One session."""

    def __init__(self, world: World, url: str, attributes: Fields, parameters: Fields, base: Fields,
                 heard: list[Heard]) -> None:  # fmt: skip
        self.world, self.url, self.attributes, self.parameters = world, url, attributes, parameters
        self.sid = world.sid("VX")
        self._base, self._heard = base, heard
        self.open = False
        self.ended: Ended | None = None
        self.speaking = ""
        """Of the talk cycle that is not closed yet."""
        self.cycles: list[str] = []
        """What was said, cycle by cycle."""
        self.language = attributes.get("language", "en-US")
        self.digits_sent: list[str] = []
        self.switched: list[dict[str, str]] = []
        """What it was told of languages."""
        self._interrupted = False
        self._began: datetime | None = None

    def handshake(self) -> Request:
        headers = {"upgrade": "websocket", **self.world.signature(self.url, {})}
        return Request(method="GET", url=self.url, headers=headers)

    def opened(self, now: datetime) -> list[str]:
        self.open, self._began = True, now
        if greeting := self.attributes.get("welcomeGreeting"):
            self._heard.append(Heard(now, greeting, "relay"))
        setup: dict[str, Any] = {
            "type": "setup", "sessionId": self.sid, "accountSid": self._base["AccountSid"], "parentCallSid": "",
            "callSid": self._base["CallSid"], "from": self._base["From"], "to": self._base["To"], "forwardedFrom": "",
            "callerName": "", "direction": self._base["Direction"], "callType": "PSTN", "callStatus": "RINGING",
            "applicationSid": None,
        }  # fmt: skip
        if self.parameters:
            setup["customParameters"] = dict(self.parameters)
        return [json.dumps(setup)]

    def seconds(self, now: datetime) -> int:
        return 0 if self._began is None else int((now - self._began).total_seconds())

    # --- what the caller does -------------------------------------------------------------------------------------

    def says(self, text: str, *, partial: tuple[str, ...] = ()) -> list[str]:
        """Unfinished pieces come only where they were asked for."""
        told = partial if self.attributes.get("partialPrompts") == "true" else ()
        frames = [{"type": "prompt", "voicePrompt": piece, "lang": self.language, "last": False} for piece in told]
        frames.append({"type": "prompt", "voicePrompt": text, "lang": self.language, "last": True})
        return list(map(json.dumps, frames))

    def presses(self, digits: str) -> list[str]:
        if self.attributes.get("dtmfDetection") != "true":
            return []
        return [json.dumps({"type": "dtmf", "digit": digit}) for digit in digits]

    def interrupts(self, heard: str | None = None, ms: int | float | str = 460) -> list[str]:
        """The caller speaks into what is said; `heard`: as far as he listened."""
        if self.attributes.get("interruptible") in ("none", "false"):
            return []
        said = self.speaking or (self.cycles[-1] if self.cycles else "")
        self._interrupted = bool(self.speaking)
        self.speaking = ""
        heard = said[: len(said) // 2] if heard is None else heard
        return [json.dumps({"type": "interrupt", "utteranceUntilInterrupt": heard, "durationUntilInterruptMs": ms})]

    # --- what the gateway sends -----------------------------------------------------------------------------------

    def take(self, data: str | bytes, now: datetime) -> None:
        frame = self._read(data)
        if frame is None:
            return
        match frame["type"]:
            case "text":
                self._speak(frame, now)
            case "play":
                self._heard.append(Heard(now, frame["source"], "play"))
            case "sendDigits":
                self.digits_sent.append(frame["digits"])
            case "language":
                self.switched.append({key: value for key, value in frame.items() if key != "type"})
                self.language = frame.get("transcriptionLanguage", self.language)
            case _:
                self.ended, self.open = Ended("ended", frame.get("handoffData")), False

    def _read(self, data: str | bytes) -> dict[str, Any] | None:
        """None: refused; the session goes on without it."""
        wrong, frame = self._problem(data)
        if wrong is not None:
            self.world.complain(64107, wrong)
            return None
        return frame

    def _problem(self, data: str | bytes) -> tuple[str | None, dict[str, Any]]:
        if self.ended is not None:
            return "a frame after `end`", {}
        if isinstance(data, bytes):
            return "a binary frame", {}
        try:
            frame = json.loads(data)
        except ValueError:
            return "not JSON", {}
        schema = SCHEMA.get(str(frame.get("type"))) if isinstance(frame, dict) else None
        if schema is None:
            return "unknown type", {}
        wrong = [key for key, value in frame.items() if key != "type" and not (key in schema and schema[key][0](value))]
        wrong += [key for key, (_, must) in schema.items() if must and key not in frame]
        return (f"{frame['type']}: {', '.join(wrong)}" if wrong else None), frame

    def _speak(self, frame: dict[str, Any], now: datetime) -> None:
        token, last = frame["token"], frame["last"]
        if self._interrupted:
            # The rest of what the caller has interrupted: it may be closed, and nothing else.
            self._interrupted = not last
            if token.strip():
                self.world.complain(64107, "spoken after an interruption")
            return
        if last and not (self.speaking + token).strip():
            self.world.complain(64107, "a talk cycle without a word")
        self.speaking += token
        if token:
            self._heard.append(Heard(now, token, "relay"))
        if last:
            self.cycles.append(self.speaking)
            self.speaking = ""

    # --- the end --------------------------------------------------------------------------------------------------

    def lost(self, *, connected: bool = True) -> None:
        """The socket could not be opened, or the gateway closed it without `end`."""
        if self.ended is None:
            text = "the connection was dropped" if connected else "no connection"
            self.ended = Ended("failed", error=64105 if connected else 64102, text=text)
        self.open = False


class Stream:
    """One Media Stream; numbers are texts, as Twilio writes them."""

    def __init__(self, world: World, url: str, parameters: Fields, base: Fields) -> None:
        self.world, self.url, self._parameters, self._base = world, url, parameters, base
        self.sid, self._number, self._chunk = world.sid("MZ"), 0, 0

    def handshake(self) -> Request:
        return Request(method="GET", url=self.url,
                       headers={"upgrade": "websocket", **self.world.signature(self.url, {})})  # fmt: skip

    def opened(self) -> list[str]:
        start = {
            "streamSid": self.sid, "accountSid": self._base["AccountSid"], "callSid": self._base["CallSid"],
            "tracks": ["inbound"], "customParameters": dict(self._parameters),
            "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
        }  # fmt: skip
        connected = json.dumps({"event": "connected", "protocol": "Call", "version": "1.0.0"})
        return [connected, self._frame("start", start=start)]

    def sounds(self, frames: int) -> list[str]:
        """20 ms each."""
        return [self._sound() for _ in range(frames)]

    def _sound(self) -> str:
        self._chunk += 1
        media = {
            "track": "inbound",
            "chunk": str(self._chunk),
            "timestamp": str(20 * self._chunk),
            "payload": "/" * 216,
        }
        return self._frame("media", media=media)

    def presses(self, digit: str) -> str:
        return self._frame("dtmf", dtmf={"track": "inbound_track", "digit": digit})

    def stops(self) -> str:
        return self._frame("stop", stop={"accountSid": self._base["AccountSid"], "callSid": self._base["CallSid"]})

    def _frame(self, event: str, **inner: Any) -> str:
        self._number += 1
        return json.dumps({"event": event, "sequenceNumber": str(self._number), "streamSid": self.sid, **inner})
