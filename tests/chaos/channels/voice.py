"""Calls: a telephone company whose webhooks and sockets come to the gateway, and people who call, speak and listen.

A prompt has no acknowledgement of its own: it counts as taken when its answer is heard. Whose line is lost comes back
by the action's URL; where nobody answers that in time, the number's own fallback speaks.

Rule: no call is silent, and nobody hears of an application error.
Rule: an answer is spoken once, by itself, and in the call that it was asked for; after the line came back, what was
said in its last seconds once more.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Coroutine, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from itertools import count
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp
from msgspec import Struct
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException
from yarl import URL

from adapters.base import Reply, Request
from adapters.twilio_voice.simulator import Twilio
from adapters.twilio_voice.simulator_call import Call
from adapters.twilio_voice.simulator_doing import Relaying
from adapters.twilio_voice.simulator_relay import Relay
from adapters.twilio_voice.simulator_world import OVER, World
from tests.chaos.channels.host import Hosted
from tests.chaos.channels.line import Heard, Place, Said, Scene

ACCOUNT, TOKEN = "AC" + "0" * 32, "an auth token"
LINE, NUMBER = "line", "+15550002222"
TOLD = frozenset({"/status", "/recording", "/stream"})
"""Routes whose answer nobody waits for."""
PATIENCE_S = (0.0, 6.0)
"""How long a call is held for a gateway that can not be reached; then the number's fallback speaks."""
RESUME_S, SLACK_S = 5.0, 1.0
ANSWER_S = 6.0
"""What was asked so shortly before the end of a session may find nobody on the line."""
UNREACHED = 11200
"""What the provider's debugger says of a callback that nobody took."""
DOUBLED = 0.1
"""Share of callbacks that come twice."""
FALLBACK = Reply(200, {"content-type": "text/xml"},
                 b"<Response><Say>We are sorry. Please call again.</Say><Hangup/></Response>")  # fmt: skip


class Hearing(Struct):
    """An answer as one session spoke it."""

    session: str
    at: float
    closed: bool


class Session(Struct):
    relay: Relay
    open: str = ""
    """An answer whose end was not told yet."""


class Voice(Hosted):
    name = "voice"
    patience_s = 15.0
    sources = 0
    customers: Sequence[str] = ()
    """People call by themselves, see `voice_calls.py`: who is on the line does not wait for ever."""

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self._ids = (f"{number}" for number in count(1000))
        self.twilios = {LINE: self.number(LINE, NUMBER)}
        self.settings: dict[str, Mapping[str, Any]] = {LINE: {}}
        self.stopping = False
        self.holding = False
        """Sockets are not opened."""
        self.sockets: dict[str, ClientConnection] = {}
        """By call."""
        self._dialled: set[str] = set()
        self._hearings: defaultdict[str, list[Hearing]] = defaultdict(list)
        self._said: dict[str, Said] = {}
        self._asked: defaultdict[str, list[Said]] = defaultdict(list)
        """By session."""
        self._call_of: dict[str, str] = {}
        """By session, and by what was asked."""
        self._documents: dict[str, float] = {}
        """When a call got its latest document."""

    def number(self, id: str, number: str) -> Twilio:
        hook = f"{self.place.gateway_url}/hooks/{id}"
        return Twilio(account_sid=ACCOUNT, auth_token=TOKEN, number=number, voice_url=hook, ids=self._ids,
                      api_url=self.place.url, status_url=f"{hook}/status", plain=True)  # fmt: skip

    @property
    def twilio(self) -> Twilio:
        return self.twilios[LINE]

    # --- Line ---------------------------------------------------------------------------------------------------------

    def endpoints(self) -> Mapping[str, Mapping[str, Any]]:
        if not self.trouble:
            from tests.chaos.channels.voice_scenes import furnish

            furnish(self)
        known = {"type": "twilio_voice", "account_sid": ACCOUNT, "auth_tokens": [TOKEN], "api_url": self.place.url}
        return {
            id: {**known, "number": twilio.world.number, **self.settings[id]} for id, twilio in self.twilios.items()
        }

    def sections(self) -> Mapping[str, Mapping[str, Any]]:
        return {"server": {"public_url": self.place.gateway_url}}

    def say(self, customer: str, text: str) -> Said:
        """In a call that is up; what becomes of the frames is its caller's matter."""
        said = self._said[text] = Said(customer, text, time.monotonic())
        self.record.said.append(said)
        return said

    def asks(self, customer: str, text: str, relay: Relay) -> list[str]:
        """The frames of a turn."""
        self._call_of[text] = self._call_of[relay.sid]
        self._asked[relay.sid].append(self.say(customer, text))
        return relay.says(text)

    @property
    def waiting(self) -> int:
        return self.on_the_way + sum(call.status not in OVER for _, call in self.calls())

    def calm(self) -> None:
        super().calm()
        self.stopping = True

    def scenes(self) -> Sequence[Scene]:
        from tests.chaos.channels.voice_scenes import scenes

        return scenes(self)

    def calls(self) -> Iterator[tuple[Twilio, Call]]:
        for twilio in self.twilios.values():
            for call in list(twilio.calls.values()):
                yield twilio, call

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        from tests.chaos.channels.voice_calls import callers

        async with super().running():
            people = [asyncio.create_task(one.live()) for one in callers(self)] if self.trouble else []
            try:
                yield
            finally:
                for task in people:
                    task.cancel()
                ended = await asyncio.gather(*people, return_exceptions=True)
        for error in ended:
            if isinstance(error, Exception):
                raise error

    # --- Hosted: webhooks ---------------------------------------------------------------------------------------------

    def answer(self, request: Request, now: datetime) -> Reply:
        """Which of the numbers it is about stands in its path."""
        for twilio in self.twilios.values():
            if any(sid in request.url for sid in (*twilio.calls, *twilio.world.recordings)):
                return twilio.answer(request, now)
        return self.twilio.answer(request, now)

    def due(self, now: datetime) -> Sequence[Request]:
        found: list[Request] = []
        for twilio in self.twilios.values():
            twilio.world.duplicates = self.trouble and self.random.random() < DOUBLED
            twilio.world.reorder = self.trouble
            found += twilio.due(now)
        self._dial()
        return found

    async def _deliver(self, http: aiohttp.ClientSession, request: Request, after_s: float) -> None:
        id, path = self._route(request)
        held_s = 0.0 if path in TOLD else self.random.uniform(*PATIENCE_S)
        reply = await self._fetched(http, request, held_s)
        self.record.counts["webhooks"] += 1
        if reply is not None and 200 <= reply.status < 300:
            self.record.noted |= set(_events(path, request))
        elif reply is not None and reply.status != 503:
            self.record.wrong.append(f"{path or '/'} was answered with {reply.status}")
        if path not in TOLD:
            reply = self._document(path, request, reply)
        elif reply is None:
            self.record.counts["callbacks that nobody took"] += 1
        self.twilios[id].answered(request, reply, _now())

    def _document(self, path: str, request: Request, reply: Reply | None) -> Reply:
        """What the caller is in next. Only where nobody answered the fallback may speak."""
        self._documents[_form(request).get("CallSid", "")] = time.monotonic()
        if reply is None:
            self.record.counts["calls that heard the number's fallback"] += 1
            return FALLBACK
        if reply.status != 200:
            self.record.wrong.append(f"a caller hears of an error: {path or '/'} was answered with {reply.status}")
        return reply

    def _route(self, request: Request) -> tuple[str, str]:
        """The endpoint, and the path below its hook."""
        id, slash, path = urlsplit(request.url).path.removeprefix("/hooks/").partition("/")
        return id, slash + path

    async def _fetched(self, http: aiohttp.ClientSession, request: Request, held_s: float) -> Reply | None:
        end = time.monotonic() + held_s
        while True:
            try:
                async with http.request(request.method, URL(request.url, encoded=True), data=request.body or None,
                                        headers=request.headers) as answer:  # fmt: skip
                    return Reply(answer.status, dict(answer.headers), await answer.read())
            except aiohttp.ClientConnectorError:
                if time.monotonic() >= end:
                    return None
                await asyncio.sleep(0.05)
            except (aiohttp.ClientError, OSError, TimeoutError):
                return None

    def carry(self, work: Coroutine[Any, Any, None]) -> None:
        self._carried.add(asyncio.create_task(work))

    # --- sockets ------------------------------------------------------------------------------------------------------

    def _dial(self) -> None:
        for _, call in self.calls():
            match call.doing:
                case Relaying(relay=relay) if not (relay.open or relay.ended or self.holding):
                    if relay.sid not in self._dialled:
                        self._dialled.add(relay.sid)
                        self.carry(self._session(call, relay))
                case _:
                    pass

    async def _session(self, call: Call, relay: Relay) -> None:
        connected = False
        try:
            async with self.dialled(relay.handshake()) as socket:
                connected = True
                self.sockets[call.sid], session = socket, Session(relay)
                self._call_of[relay.sid] = call.sid
                for frame in relay.opened(_now()):
                    await socket.send(frame)
                async for data in socket:
                    if relay.ended is None:
                        self._take(call, session, data)
                    if relay.ended is not None:
                        break
        except (OSError, TimeoutError, WebSocketException):
            pass  # the session has failed, as it does at the provider
        finally:
            self.sockets.pop(call.sid, None)
            if relay.ended is None:
                self.record.counts["sessions that were lost" if connected else "sessions without a socket"] += 1
            relay.lost(connected=connected)
            since = time.monotonic() - ANSWER_S
            self.record.unheard |= {said.text for said in self._asked.pop(relay.sid, ()) if said.at > since}

    def dialled(self, request: Request) -> connect:
        signed = {"X-Twilio-Signature": request.headers["x-twilio-signature"]}
        return connect(request.url, additional_headers=signed, compression=None, open_timeout=5, close_timeout=1)

    async def send(self, call: Call, frames: Sequence[str]) -> None:
        """To nobody, when the line is gone."""
        socket = self.sockets.get(call.sid)
        try:
            for frame in frames:
                if socket is not None:
                    await socket.send(frame)
        except WebSocketException:
            pass

    async def hangs_up(self, call: Call) -> None:
        socket = self.sockets.get(call.sid)
        call.hangs_up(_now())
        if socket is not None:
            await socket.close()

    # --- what is heard ------------------------------------------------------------------------------------------------

    def _take(self, call: Call, session: Session, data: str | bytes) -> None:
        relay, world = session.relay, self.world_of(call)
        relay.take(data, _now())
        frame = json.loads(data)
        if frame["type"] == "text":
            token = frame["token"].strip()
            if token and session.open not in ("", token):
                self.record.wrong.append(f"spoken into another answer: {token}")
            if token or session.open:
                self._hears(call, relay, token or session.open, closed=frame["last"])
            session.open = "" if frame["last"] else token
        for one in world.complaints:
            if one.code != UNREACHED:
                self.record.wrong.append(f"the provider complains: {one.code} {one.text}")
        world.complaints.clear()

    def world_of(self, call: Call) -> World:
        return next(twilio.world for twilio in self.twilios.values() if call.sid in twilio.calls)

    def _hears(self, call: Call, relay: Relay, text: str, *, closed: bool) -> None:
        said, hearings, at = self._said.get(text), self._hearings[text], time.monotonic()
        if said is None or self._call_of[text] != call.sid:
            self.record.wrong.append(f"an answer to what was said in another call: {text}")
            return
        if not hearings:
            said.acked_at = at
            self.record.hears(Heard(said.customer, text, at))
        elif hearings[-1].session == relay.sid:
            if hearings[-1].closed:
                self.record.wrong.append(f"spoken twice: {text}")
            hearings[-1].closed |= closed
            return
        else:
            self._again(call, text, hearings[-1])
        hearings.append(Hearing(relay.sid, at, closed))

    def _again(self, call: Call, text: str, before: Hearing) -> None:
        """In a later session of the same call: what is told again after the line came back."""
        since = self._documents.get(call.sid, 0.0) - RESUME_S - SLACK_S
        if not before.closed:
            self.record.counts["answers that were cut off with the line, and spoken again"] += 1
        elif before.at >= since:
            self.record.counts["answers spoken again after the line came back"] += 1
        else:
            self.record.wrong.append(f"spoken again: {text}")

    def over(self, call: Call) -> None:
        """Looks back at a call."""
        self.record.counts["calls"] += 1
        if not call.heard:
            self.record.wrong.append(f"a call that heard nothing: {call.sid}")
        if any(one.how == "error" for one in call.heard):
            self.record.wrong.append(f"a call that heard of an error: {call.sid}")


def _form(request: Request) -> dict[str, str]:
    query = parse_qs(urlsplit(request.url).query, keep_blank_values=True)
    form = parse_qs(request.body.decode(), keep_blank_values=True)
    return {name: values[0] for name, values in (query | form).items()}


def _events(path: str, request: Request) -> Iterator[str]:
    """Names of what the gateway now knows, by the provider's own ids; what has none is no event that could repeat."""
    form = _form(request)
    call = form.get("CallSid", "")
    match path:
        case "":
            yield f"{call}/ringing"
        case "/after":
            yield f"{call}/session/{form['SessionId']}"
        case "/status":
            yield f"{call}/status/{form['SequenceNumber']}"
        case "/recording" if "TranscriptionSid" in form:
            yield f"{call}/transcription/{form['TranscriptionSid']}"
        case "/recording":
            yield f"{call}/recording/{form['RecordingSid']}"
        case "/voicemail":
            yield f"{call}/recorded/{form['RecordingSid']}"
        case _:
            pass


def _now() -> datetime:
    return datetime.now(UTC)
