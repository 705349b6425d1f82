"""What the simulated provider knows: people, our senders, media, content, and every message either way."""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, Literal

from msgspec import Struct, field

from adapters.base import Reply

WINDOW = timedelta(hours=24)
Fault = Literal["429", "429 bare", "500", "503", "html", "401", "empty", "no sid", "lost", "slow"]


class Customer(Struct, eq=False):
    """A person with a phone. `shows_phone` False: on WhatsApp we know the user id alone."""

    name: str
    phone: str
    """E.164, with its `+`."""
    user_id: str | None = None
    shows_phone: bool = True
    reads: bool = False
    """Reads at once what arrives, where that is told."""
    reachable: bool = True
    on_whatsapp: bool = True
    opted_out: set[str] = field(default_factory=set)
    """Our senders that he answered STOP."""
    windows: dict[str, datetime] = field(default_factory=dict)
    typing_until: datetime | None = None

    def address(self, sender: str) -> str:
        """As Twilio writes it to us."""
        prefix = sender.partition(":")[0] if ":" in sender else ""
        hidden = prefix == "whatsapp" and self.user_id and not self.shows_phone
        value = self.user_id if hidden else self.phone
        return f"{prefix}:{value}" if prefix else str(value)

    def is_at(self, address: str) -> bool:
        return address.rpartition(":")[2] in (self.phone, self.user_id)


class Media(Struct):
    data: bytes
    mime: str
    message: str | None = None
    gone: bool = False


class Content(Struct, frozen=True):
    types: dict[str, Any]
    variables: int = 0
    approved: bool = False
    """A template, which may be sent at any time."""


class Row(Struct, eq=False):
    """A message either way, as the list has it."""

    sid: str
    direction: str
    from_: str
    to: str
    body: str
    at: datetime
    service: str | None = None
    media: list[str] = field(default_factory=list)
    status: str = "received"
    error: int | None = None
    customer: Customer | None = None
    fields: dict[str, list[str]] = field(default_factory=dict)
    """Of what we sent."""

    def shown(self, account_sid: str) -> dict[str, Any]:
        uri = f"/2010-04-01/Accounts/{account_sid}/Messages/{self.sid}"
        date = f"{self.at:%a, %d %b %Y %H:%M:%S} +0000"
        files = self.media or self.fields.get("MediaUrl", [])
        return {
            "account_sid": account_sid, "sid": self.sid, "direction": self.direction, "from": self.from_, "to": self.to,
            "body": self.body, "status": self.status, "error_code": self.error, "error_message": None,
            "num_media": str(len(files)), "num_segments": "1", "messaging_service_sid": self.service,
            "date_created": date, "date_sent": date, "date_updated": date, "price": None, "uri": f"{uri}.json",
            "subresource_uris": {"media": f"{uri}/Media.json"},
        }  # fmt: skip


class Told(Struct, frozen=True):
    """A status that is to be told."""

    row: Row
    status: str
    code: int | None = None
    after: timedelta = timedelta(0)


class World(Struct):
    account_sid: str
    auth_token: str
    senders: list[str]
    ids: Iterator[str]
    services: dict[str, list[str]] = field(default_factory=dict)
    """Numbers by their messaging service."""
    api_url: str = "https://api.twilio.com"
    content_url: str = "https://content.twilio.com"
    messaging_url: str = "https://messaging.twilio.com"
    storage_url: str = "https://mms.twiliocdn.com"
    customers: list[Customer] = field(default_factory=list)
    rows: dict[str, Row] = field(default_factory=dict)
    media: dict[str, Media] = field(default_factory=dict)
    content: dict[str, Content] = field(default_factory=dict)
    read: list[str] = field(default_factory=list)
    """Messages of customers that were marked as read."""
    faults: list[Fault] = field(default_factory=list)
    """What becomes of the next calls, instead of an answer."""
    delivers: bool = True
    """Phones are on: what is sent also arrives."""
    receipts: bool = True
    receipts_late_s: float = 0.0
    enforces_media_auth: bool = True

    def received(self, data: bytes, mime: str) -> str:
        """A file of a customer; by its id."""
        sid = f"ME{next(self.ids)}"
        self.media[sid] = Media(data, mime)
        return sid

    def customer_at(self, address: str) -> Customer | None:
        return next((customer for customer in self.customers if customer.is_at(address)), None)


class Refusal(Exception):
    """The API's error answer."""

    def __init__(self, status: int, code: int, text: str) -> None:
        super().__init__(text)
        self.reply = error_reply(status, code, text)


def error_reply(status: int, code: int, text: str, headers: dict[str, str] | None = None) -> Reply:
    more = f"https://www.twilio.com/docs/errors/{code}"
    return json_reply({"code": code, "message": text, "more_info": more, "status": status}, status, headers)


def json_reply(document: Any, status: int = 200, headers: dict[str, str] | None = None) -> Reply:
    return Reply(status, {"content-type": "application/json", **(headers or {})}, json.dumps(document).encode())
