"""Twilio's messaging: phones that write by SMS and by WhatsApp to one account.

A webhook that was answered with an error never comes again, one that found nobody comes once more: what is lost that
way is in Twilio's list of messages, and the gateway has to find it there. Receipts come again as the gateway asks for,
but of some messages nothing is told at all: if the gateway was killed while it sent one, the list has to tell.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import count
from typing import Any
from urllib.parse import parse_qsl

from adapters.base import Reply, Request
from adapters.twilio_messaging.simulator import Twilio
from adapters.twilio_messaging.simulator_world import Customer, Fault
from normalizer.envelope import Status
from tests.chaos.channels.host import Repeating
from tests.chaos.channels.line import Heard, Place, Said, Scene

ENDPOINT, ACCOUNT, TOKEN = "twilio", "AC0000000000000000000000000000face", "an auth token"
SENDERS = {"sms": "+15550100200", "wa": "whatsapp:+15550100300"}
PULL_EVERY_S = 10
BY_SMS, BY_WHATSAPP = 5, 5
DUPLICATED, FAULTY = 0.15, 0.02
UNTOLD = 0.15
"""Share of the gateway's messages of which it is told nothing: that they are out is in Twilio's list alone."""
FAULTS: Sequence[Fault] = ("429", "503", "500", "no sid", "lost")
RECEIPTS_LATE_S = 4.0
"""Longest time from accepting a message to the first that is told of it."""
STATUSES = {"sent": Status.SENT, "delivered": Status.DELIVERED, "read": Status.READ, "undelivered": Status.FAILED}


class Sms(Repeating):
    name = "sms"
    patience_s = 15.0
    sources = 1
    senders = SENDERS

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self.hook = f"{place.gateway_url}/hooks/{ENDPOINT}"
        self.twilio = Twilio(
            account_sid=ACCOUNT,
            auth_token=TOKEN,
            webhook_url=self.hook,
            senders=list(SENDERS.values()),
            ids=(f"{number:032x}" for number in count(1)),
            api_url=place.url,
            content_url=place.url,
            messaging_url=place.url,
            storage_url=f"{place.url}/storage",
        )
        self.world = self.twilio.world
        self.people = {f"c{number}": self.person(number) for number in range(1, BY_SMS + BY_WHATSAPP + 1)}
        self.customers = tuple(self.people)
        self._names = {id(person): name for name, person in self.people.items()}
        self._said: dict[str, Said] = {}
        self._heard: dict[str, Heard] = {}

    @staticmethod
    def person(number: int) -> Customer:
        return Customer(f"C {number}", f"+4915112{number:06}", reads=True)

    @staticmethod
    def sender(number: int) -> str:
        return SENDERS["sms" if number <= BY_SMS else "wa"]

    # --- Line ---------------------------------------------------------------------------------------------------------

    def endpoints(self) -> Mapping[str, Mapping[str, Any]]:
        urls = dict.fromkeys(("api_url", "content_url", "messaging_url"), self.place.url)
        settings = {"type": "twilio_messaging", "account_sid": ACCOUNT, "auth_tokens": [TOKEN], "senders": SENDERS}
        public = f"{self.place.gateway_url}#rc=5&rp=all"
        return {ENDPOINT: {**settings, **urls, "pull_every_s": PULL_EVERY_S, "public_url": public}}

    def sections(self) -> Mapping[str, Mapping[str, Any]]:
        return {}

    def say(self, customer: str, text: str) -> Said:
        self.twilio.reorder = self.trouble
        self.twilio.duplicates = self.trouble and self.random.random() < DUPLICATED
        said = Said(customer, text, time.monotonic(), kept=True)
        sid = self.twilio.send(self.people[customer], {"Body": text, "MessageType": "text"}, now(),
                               to=self.sender(int(customer[1:])))  # fmt: skip
        self._said[sid] = said
        self.record.said.append(said)
        return said

    @property
    def waiting(self) -> int:
        return self.twilio.undelivered + self.on_the_way

    def scenes(self) -> Sequence[Scene]:
        from tests.chaos.channels.sms_scenes import scenes

        return scenes(self)

    # --- Hosted -------------------------------------------------------------------------------------------------------

    def answer(self, request: Request, now: datetime) -> Reply:
        if self.trouble and self.random.random() < FAULTY:
            self.world.faults.append(self.random.choice(FAULTS))
            self.record.counts[f"API answered with {self.world.faults[-1]}"] += 1
        self.world.receipts_late_s = self.random.uniform(0, RECEIPTS_LATE_S) if self.trouble else 0.0
        self.world.receipts = not (self.trouble and self.random.random() < UNTOLD)
        known = len(self.world.rows)
        reply = self.twilio.answer(request, now)
        if len(self.world.rows) > known:
            self._accepted(next(reversed(self.world.rows)))
        return reply

    def _accepted(self, sid: str) -> None:
        row = self.world.rows[sid]
        name = self._names.get(id(row.customer)) or row.to
        self._heard[sid] = self.record.hears(Heard(name, row.body, time.monotonic(), sid))

    def due(self, now: datetime) -> Sequence[Request]:
        return self.twilio.due(now)

    def delivered(self, request: Request, status: int, now: datetime) -> None:
        self.twilio.delivered(request, status, now)
        fields = dict(parse_qsl(request.body.decode()))
        if not 200 <= status < 300:
            return
        sid = fields.get("MessageSid", "")
        if (said := self._said.get(sid)) and said.acked_at is None:
            said.acked_at = time.monotonic()
        if (heard := self._heard.get(sid)) and (told := STATUSES.get(fields.get("MessageStatus", ""))):
            heard.told.setdefault(told, time.monotonic())


def now() -> datetime:
    return datetime.now(UTC)
