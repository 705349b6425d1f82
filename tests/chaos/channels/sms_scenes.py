"""Every type of what Twilio's messaging brings."""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from hashlib import sha1, sha256
from typing import TYPE_CHECKING

from adapters.base import Request
from adapters.twilio_messaging import simulator_content as content
from adapters.twilio_messaging.simulator_world import Customer
from normalizer.envelope import (
    Audio,
    ChoiceMade,
    Document,
    Envelope,
    Image,
    Location,
    Message,
    Part,
    Receipt,
    Status,
    Sticker,
    Text,
    Video,
    Voice,
)
from tests.chaos.channels.becomes import Becomes, message, notice
from tests.chaos.channels.line import Scene

if TYPE_CHECKING:
    from tests.chaos.channels.sms import Sms

PNG = b"\x89PNG\r\n\x1a\n" + bytes(64)
FILES: Mapping[str, type[Part]] = {
    "image/png": Image,
    "video/mp4": Video,
    "audio/ogg": Voice,
    "audio/mpeg": Audio,
    "application/pdf": Document,
    "text/vcard": Document,
}


def scenes(line: Sms) -> Sequence[Scene]:
    return _Scenes(line).all()


class _Scenes:
    def __init__(self, line: Sms) -> None:
        self.line, self.twilio = line, line.twilio
        self.ana, self.bo, self.eva = line.people["c1"], line.people["c2"], line.people["c9"]
        self.hidden = Customer("Hidden", "+4915112000500", user_id="DE.1349128001", shows_phone=False)
        self.gone = Customer("Gone", "+4915112000501", reachable=False)
        self.late = Customer("Late", "+4915112000502")
        self.sid = ""
        """Of the last message."""

    def all(self) -> list[Scene]:
        return [
            Scene("an SMS", lambda: self._says("c1"), message(Text, "c1 says one")),
            Scene("WhatsApp", lambda: self._says("c9"), message(Text, "c9 says one")),
            Scene("a reply", lambda: self._tells(content.text("this one"), reply_to=self.sid),
                  lambda one: message(Text, "this one")(one) and "reply_to=ReplyTo" in repr(one.body)),
            Scene("WhatsApp, to be answered unseen", lambda: self._texts(self.late, "look later", "wa"),
                  message(Text, "look later")),
            Scene("without a phone number", lambda: self._texts(self.hidden, "who am I", "wa"),
                  message(Text, "who am I")),
            Scene("an MMS", lambda: self._sends(self.ana, "image/png", "two pictures", count=2), _has_two_pictures),
            Scene("STOP", lambda: self._texts(self.bo, "STOP"), lambda one: one.observed and _chose("opt_out")(one)),
            Scene("START", lambda: self._texts(self.bo, "START"), _chose("opt_in")),
            Scene("an SMS whose webhook is lost", lambda: self._texts(self.ana, "nobody heard", told=False),
                  lambda one: message(Text, "nobody heard")(one) and _is_recovered(one), slow=True),
            Scene("an MMS whose webhook is lost", partial(self._sends, self.ana, "image/png", "nobody saw", told=False),
                  lambda one: message(Image, "nobody saw")(one) and _is_recovered(one), slow=True),
            Scene("a forwarded text", lambda: self._tells(content.forwarded(content.text("pass it on"))),
                  lambda one: message(Text, "pass it on")(one) and "forwarded=True" in repr(one.body)),
            Scene("an advertisement", lambda: self._tells(content.advertised("I saw it", "https://ad.example", "Ad")),
                  lambda one: message(Text, "I saw it")(one) and "https://ad.example" in repr(one.body)),
            Scene("a place", lambda: self._tells(content.location(52.5, 13.4, "Here", "Street 1")),
                  message(Location, "Street 1")),
            Scene("a button", lambda: self._tells(content.button("yes", "Yes, please")), _chose("yes")),
            Scene("a row", lambda: self._tells(content.row("blue", "The blue one", "Nice")), _chose("blue")),
            Scene("a form", lambda: self._tells(content.form({"size": "38"})), message(ChoiceMade, "38")),
            Scene("a sticker", lambda: self._sends(self.eva, "image/webp", kind="sticker"), message(Sticker, "")),
            *(Scene(mime, partial(self._sends, self.eva, mime, _caption(mime)), message(kind, _caption(mime)))
              for mime, kind in FILES.items()),
            Scene("a type that nobody knows", lambda: self._tells(content.unknown("hologram")), notice("hologram")),
            Scene("an answer that is not seen", lambda: self._texts(self.gone, "I am gone"),
                  _told(Status.FAILED, self.gone)),
            Scene("an answer that is read later", lambda: self.twilio.read(self.late, now()),
                  _told(Status.READ, self.late)),
            Scene("a status that nobody knows", lambda: self.twilio.tell(self._last_answer(), "danced", now()),
                  notice("status:danced")),
            Scene("an alarm of the account", self._alarms, notice("ERROR")),
            Scene("an event of the account", self._streams, notice("event:com.twilio.danced")),
        ]  # fmt: skip

    # --- what happens -------------------------------------------------------------------------------------------------

    def _says(self, name: str) -> None:
        self.line.say(name, f"{name} says one")
        self.sid = next(reversed(self.twilio.world.rows))

    def _texts(self, person: Customer, text: str, to: str = "sms", *, told: bool = True) -> None:
        self.sid = self.twilio.send(person, content.text(text), now(), to=self.line.senders[to], told=told)

    def _tells(self, fields: Mapping[str, str], *, reply_to: str | None = None) -> None:
        self.sid = self.twilio.send(self.eva, fields, now(), to=self.line.senders["wa"], reply_to=reply_to)

    def _sends(self, person: Customer, mime: str, text: str = "", *, count: int = 1, kind: str = "image",
               told: bool = True) -> None:  # fmt: skip
        """Files, each of its own bytes."""
        media = [self.twilio.world.received(PNG + bytes([place]) + text.encode(), mime) for place in range(count)]
        to = self.line.senders["wa" if person is self.eva else "sms"]
        fields = content.media(kind if kind == "sticker" else mime.partition("/")[0], text)
        self.sid = self.twilio.send(person, fields, now(), to=to, media=media, told=told)

    def _last_answer(self) -> str:
        return next(row.sid for row in reversed(self.twilio.world.rows.values()) if row.direction != "inbound")

    def _alarms(self) -> None:
        fields = {"Sid": "NO1", "AccountSid": self.twilio.world.account_sid, "Level": "ERROR", "Payload": "{}"}
        self.line.posts.append(self.twilio.signed(self.line.hook, fields))

    def _streams(self) -> None:
        """JSON, which is signed by its digest in the URL."""
        body = json.dumps([{"id": "EZ1", "type": "com.twilio.danced", "data": {}}]).encode()
        url = f"{self.line.hook}?bodySHA256={sha256(body).hexdigest()}"
        digest = hmac.new(self.twilio.world.auth_token.encode(), url.encode(), sha1).digest()
        headers = {"content-type": "application/json", "x-twilio-signature": base64.b64encode(digest).decode()}
        self.line.posts.append(Request(method="POST", url=url, headers=headers, body=body))


# --- what it becomes --------------------------------------------------------------------------------------------------


def _chose(id: str) -> Becomes:
    return message(ChoiceMade, f"id='{id}'")


def _told(status: Status, person: Customer) -> Becomes:
    phone = person.phone.strip("+")
    return lambda one: isinstance(one.body, Receipt) and one.body.status is status and phone in str(one.body.recipient)


def _caption(mime: str) -> str:
    """Sounds have none."""
    return "" if mime.startswith("audio/") else f"of {mime}"


def _has_two_pictures(one: Envelope) -> bool:
    parts = one.body.parts if isinstance(one.body, Message) else ()
    return message(Text, "two pictures")(one) and [type(part) for part in parts[1:]] == [Image, Image]


def _is_recovered(one: Envelope) -> bool:
    return isinstance(one.body, Message) and [failure.code for failure in one.body.failures] == ["recovered"]


def now() -> datetime:
    return datetime.now(UTC)
