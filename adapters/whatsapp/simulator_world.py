"""What the simulated provider knows: people, numbers, media, templates, and what it was sent."""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, Literal
from urllib.parse import urlsplit

from msgspec import Struct, field

from adapters.base import Reply

MEDIA_URL_LIFE = timedelta(minutes=5)
RECEIVED_MEDIA_LIFE = timedelta(days=7)
Fault = Literal["429", "500", "html", "401", "empty", "lost", "slow"]


class Customer(Struct, eq=False):
    """A person with a phone. `shows_phone` False: we know the user id alone."""

    name: str
    phone: str | None = None
    user_id: str | None = None
    username: str | None = None
    shows_phone: bool = True
    reads: bool = False
    """Reads at once what arrives."""
    on_whatsapp: bool = True
    stopped_marketing: bool = False
    windows: dict[str, datetime] = field(default_factory=dict)
    typing_until: datetime | None = None
    pairs: dict[str, datetime] = field(default_factory=dict)

    def contact(self) -> dict[str, Any]:
        profile = {"name": self.name} | ({"username": self.username} if self.username else {})
        return {"profile": profile, **self._ids("wa_id", "user_id")}

    def sender(self) -> dict[str, Any]:
        return self._ids("from", "from_user_id")

    def recipient(self) -> dict[str, Any]:
        return self._ids("recipient_id", "recipient_user_id")

    def _ids(self, phone: str, user_id: str) -> dict[str, Any]:
        ids = {phone: self.phone} if self.phone and self.shows_phone else {}
        return ids | ({user_id: self.user_id} if self.user_id else {})


class Number(Struct, frozen=True):
    """A business number of ours."""

    id: str
    display: str
    per_second: int = 80


class Media(Struct):
    data: bytes
    mime: str
    until: datetime
    told_mime: str | None = None
    told_size: int | None = None
    told_sha256: str | None = None
    redirect: str | None = None
    """Where its URL leads instead."""


class Template(Struct, frozen=True):
    name: str
    language: str
    body_parameters: int = 0
    paused: bool = False


class Shown(Struct, eq=False):
    """A message of the business on a customer's screen."""

    id: str
    account: str
    customer: Customer | None
    payload: dict[str, Any]
    at: datetime
    status: str = "accepted"


class StatusTold(Struct, frozen=True):
    account: str
    name: str
    item: dict[str, Any]
    customer: Customer | None
    after: timedelta = timedelta(0)


class World(Struct):
    access_token: str
    graph_url: str
    numbers: dict[str, Number]
    ids: Iterator[str]
    waba_id: str = "102290129340398"
    subscribed: bool = True
    """The app gets the account's webhooks."""
    customers: list[Customer] = field(default_factory=list)
    groups: dict[str, list[Customer]] = field(default_factory=dict)
    templates: list[Template] = field(default_factory=list)
    media: dict[str, Media] = field(default_factory=dict)
    urls: dict[str, tuple[str, datetime]] = field(default_factory=dict)
    shown: dict[str, Shown] = field(default_factory=dict)
    read: list[str] = field(default_factory=list)
    """Messages of customers that the business marked as read."""
    faults: list[Fault] = field(default_factory=list)
    """What becomes of the next calls, instead of an answer."""
    delivers: bool = True
    """Phones are on: what is sent also arrives."""
    recent: dict[str, list[datetime]] = field(default_factory=dict)
    """Per number: the sends of the last second."""

    def received(self, data: bytes, mime: str, now: datetime, **odd: Any) -> str:
        """Media of a customer; by its id."""
        media_id = next(self.ids)
        self.media[media_id] = Media(data, mime, now + RECEIVED_MEDIA_LIFE, **odd)
        return media_id

    def media_url(self, media_id: str, now: datetime) -> str:
        parts = urlsplit(self.graph_url)
        url = f"{parts.scheme}://{parts.netloc}/simulated-media/{next(self.ids)}"
        self.urls[url] = (media_id, now + MEDIA_URL_LIFE)
        return url


class Refusal(Exception):
    """The API's error answer."""

    def __init__(self, status: int, code: int, text: str) -> None:
        super().__init__(text)
        self.reply = error_reply(status, code, text)


def error_reply(status: int, code: int, text: str) -> Reply:
    error = {"message": f"(#{code}) {text}", "type": "OAuthException", "code": code, "fbtrace_id": "Simulated"}
    error["error_data"] = {"messaging_product": "whatsapp", "details": text}
    return json_reply({"error": error}, status)


def json_reply(document: Any, status: int = 200) -> Reply:
    return Reply(status, {"content-type": "application/json"}, json.dumps(document).encode())
