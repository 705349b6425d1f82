"""A plain SMS provider, called and calling with forms under names of its own. It repeats what was not taken."""

from __future__ import annotations

import hmac
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from urllib.parse import parse_qsl, urlencode

from adapters.base import Reply, Request
from adapters.sms_http.simulator import FORM, Fault, SmsProvider
from normalizer.envelope import Envelope, Receipt, Status, Text
from tests.chaos.channels.becomes import message, notice
from tests.chaos.channels.host import SLOW_HEADER, Repeating
from tests.chaos.channels.line import Heard, Place, Said, Scene

ENDPOINT, NUMBER, TOKEN, SECRET = "plain", "+15550100400", "a bearer token", "what signs webhooks"
NAMES = {"id": "message-id", "from": "msisdn", "to": "shortcode", "text": "msg", "status": "state", "ref": "client-ref"}
PEOPLE = 8
DUPLICATED, FAULTY, UNANSWERED = 0.15, 0.02, 0.02
FAULTS: Sequence[Fault] = ("429", "500", "503", "html", "empty")
AGAIN_AFTER = timedelta(seconds=1)
GONE = "+4915113000999"
"""A phone that is off for good."""


class PlainSms(Repeating):
    name = "sms_http"
    sources = 0

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self.hook = f"{place.gateway_url}/hooks/{ENDPOINT}"
        self.provider = SmsProvider(
            number=NUMBER, token=TOKEN, secret=SECRET, url=f"{place.url}/send", hook=self.hook,
            ids=(f"m{number}" for number in count(1)), names=NAMES,
        )  # fmt: skip
        self.provider.again_after = AGAIN_AFTER
        self.provider.unreachable.add(GONE)
        self.phones = {f"c{number}": f"+4915113{number:06}" for number in range(1, PEOPLE + 1)}
        self.customers = tuple(self.phones)
        self._names = {phone: name for name, phone in self.phones.items()}
        self._said: dict[str, Said] = {}
        self._heard: dict[str, Heard] = {}

    # --- Line ---------------------------------------------------------------------------------------------------------

    def endpoints(self) -> Mapping[str, Mapping[str, Any]]:
        settings = {"type": "sms_http", "number": NUMBER, "token": TOKEN, "secret": SECRET, "fields": NAMES}
        return {ENDPOINT: {**settings, "url": f"{self.place.url}/send"}}

    def sections(self) -> Mapping[str, Mapping[str, Any]]:
        return {}

    def say(self, customer: str, text: str) -> Said:
        self.provider.duplicates = self.trouble and self.random.random() < DUPLICATED
        said = Said(customer, text, time.monotonic(), kept=True)
        self._said[self.provider.send(self.phones[customer], text, now())] = said
        self.record.said.append(said)
        return said

    @property
    def waiting(self) -> int:
        return self.provider.undelivered + self.on_the_way

    def scenes(self) -> Sequence[Scene]:
        return [
            Scene("an SMS", lambda: self._says("c1"), message(Text, "c1 says one")),
            Scene("signs of all kinds", lambda: self._texts("c2", " héllo + 😀 & = % "),
                  message(Text, " héllo + 😀 & = % ")),
            Scene("a message without an id", self._nameless,
                  lambda one: message(Text, "nameless")(one) and one.external_id is None),
            Scene("to a phone that is off", lambda: self._goes_to(GONE), message(Text, "I am gone")),
            Scene("it failed", lambda: None, _told(Status.FAILED, GONE)),
            Scene("a status that nobody knows", lambda: self.provider.tell(self._answer_to("c1"), "danced", now()),
                  notice("status:danced")),
        ]  # fmt: skip

    # --- what happens -------------------------------------------------------------------------------------------------

    def _says(self, name: str) -> None:
        self.say(name, f"{name} says one")

    def _texts(self, name: str, text: str) -> None:
        self.provider.send(self.phones[name], text, now())

    def _goes_to(self, phone: str) -> None:
        self.provider.send(phone, "I am gone", now())

    def _answer_to(self, name: str) -> str:
        return next(shown.id for shown in self.provider.shown.values() if shown.to == self.phones[name])

    def _nameless(self) -> None:
        body = urlencode({NAMES["from"]: self.phones["c3"], NAMES["text"]: "nameless"}).encode()
        headers = {"content-type": FORM, "x-signature": hmac.new(SECRET.encode(), body, "sha256").hexdigest()}
        self.posts.append(Request(method="POST", url=self.hook, headers=headers, body=body))

    # --- Hosted -------------------------------------------------------------------------------------------------------

    def answer(self, request: Request, now: datetime) -> Reply:
        """Now and then it takes a message and the answer gets lost."""
        if self.trouble and self.random.random() < FAULTY:
            self.provider.faults.append(self.random.choice(FAULTS))
            self.record.counts[f"API answered with {self.provider.faults[-1]}"] += 1
        known = len(self.provider.shown)
        reply = self.provider.answer(request, now)
        if len(self.provider.shown) == known:
            return reply
        self._accepted(next(reversed(self.provider.shown)))
        if self.trouble and self.random.random() < UNANSWERED:
            self.record.counts["API took it and did not answer"] += 1
            return Reply(reply.status, {SLOW_HEADER: "never"}, b"")
        return reply

    def _accepted(self, id: str) -> None:
        shown = self.provider.shown[id]
        heard = Heard(self._names.get(shown.to, shown.to), shown.text, time.monotonic(), id)
        self._heard[id] = self.record.hears(heard)

    def due(self, now: datetime) -> Sequence[Request]:
        self.provider.reorder = self.trouble
        return self.provider.due(now)

    def delivered(self, request: Request, status: int, now: datetime) -> None:
        self.provider.delivered(request, status)
        fields = dict(parse_qsl(request.body.decode()))
        if not 200 <= status < 300:
            return
        id, told = fields.get(NAMES["id"], ""), fields.get(NAMES["status"], "")
        if not told and (said := self._said.get(id)) and said.acked_at is None:
            said.acked_at = time.monotonic()
        if (heard := self._heard.get(id)) and told in list(Status):
            heard.told.setdefault(Status(told), time.monotonic())


def _told(status: Status, phone: str) -> Callable[[Envelope], bool]:
    return lambda one: isinstance(one.body, Receipt) and one.body.status is status and phone in str(one.body.recipient)


def now() -> datetime:
    return datetime.now(UTC)
