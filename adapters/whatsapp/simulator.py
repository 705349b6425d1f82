"""WhatsApp seen from the other side: customers with phones, Meta's API, and its webhooks. Pure and stateful.

It keeps what it was sent, answers as the Graph API does, and refuses what that refuses: a closed window, an unknown
template, expired media, a wrong token, too many messages. `people.py` and `parse.py` are not used here.

Rule: ids come from an iterator and times as arguments, so that a run can be replayed.
Rule: a webhook is due again, less and less often for seven days, until `delivered` tells that it was answered with 200.
"""

import hmac
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from msgspec import Struct

from adapters.base import Reply, Request
from adapters.whatsapp import simulator_api
from adapters.whatsapp.simulator_world import Customer, Number, Shown, StatusTold, World

REPEATS_S = (0.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0, 3 * 3600.0, 6 * 3600.0, 12 * 3600.0)
"""Seconds from one delivery of a webhook to the next; the last one stays."""
REPEAT_FOR = timedelta(days=7)
MAX_UPDATES = 1000


class Item(Struct):
    """One update that waits to be told."""

    at: datetime
    field: str
    account: str
    kind: str
    """`messages`, `statuses`, `message_echoes`, `calls`."""
    item: dict[str, Any]
    contacts: list[dict[str, Any]]
    nested: bool = False


class Pending(Struct):
    """A webhook that was not yet answered."""

    request: Request
    first: datetime
    again: datetime
    tries: int = 0


class Meta:
    """`Provider` for any number of business numbers under one app."""

    def __init__(
        self,
        *,
        app_secret: str,
        access_token: str,
        verify_token: str,
        webhook_url: str,
        numbers: Sequence[Number],
        ids: Iterator[str],
        graph_url: str = "https://graph.facebook.com/v24.0",
        waba_id: str = "102290129340398",
    ) -> None:
        self.world = World(
            access_token=access_token, graph_url=graph_url, numbers={n.id: n for n in numbers}, ids=ids, waba_id=waba_id
        )
        self.batch = 1
        """Updates in one POST, up to 1,000."""
        self.duplicates = False
        """Tell each POST twice."""
        self.reorder = False
        """Tell the newest update first."""
        self._app_secret = app_secret
        self._verify_token = verify_token
        self._webhook_url = webhook_url
        self._items: list[Item] = []
        self._pending: list[Pending] = []

    # --- the API --------------------------------------------------------------------------------------------------

    def answer(self, request: Request, now: datetime) -> Reply:
        reply, statuses = simulator_api.answer(self.world, request, now)
        for status in statuses:
            self._tell_status(status, now)
        return reply

    def shown(self, customer: Customer) -> list[Shown]:
        """What is on the customer's screen."""
        return [shown for shown in self.world.shown.values() if shown.customer is customer]

    # --- webhooks -------------------------------------------------------------------------------------------------

    def handshake(self, challenge: str = "1158201444", token: str | None = None) -> Request:
        """The GET that subscribes the callback URL."""
        query = f"hub.mode=subscribe&hub.challenge={challenge}&hub.verify_token={token or self._verify_token}"
        return Request(method="GET", url=f"{self._webhook_url}?{query}")

    def due(self, now: datetime) -> Sequence[Request]:
        self._post_items(now)
        self._pending = [pending for pending in self._pending if now - pending.first <= REPEAT_FOR]
        requests = []
        for pending in self._pending:
            if pending.again <= now:
                pending.tries += 1
                pending.again = now + timedelta(seconds=REPEATS_S[min(pending.tries, len(REPEATS_S) - 1)])
                requests.append(pending.request)
        return requests

    def next_due(self) -> datetime | None:
        """When `due` has something next; None: never."""
        times = [item.at for item in self._items] + [pending.again for pending in self._pending]
        return min(times, default=None)

    def delivered(self, request: Request, status: int) -> None:
        """How the gateway answered. Anything but 200 lets the webhook come again."""
        if status != 200:
            return
        for pending in self._pending:
            if pending.request is request or pending.request == request:
                self._pending.remove(pending)
                return

    @property
    def undelivered(self) -> int:
        return len(self._pending) + len(self._items)

    def signed(self, body: bytes) -> Request:
        digest = hmac.new(self._app_secret.encode(), body, sha256).hexdigest()
        headers = {"content-type": "application/json", "x-hub-signature-256": f"sha256={digest}"}
        return Request(method="POST", url=self._webhook_url, headers=headers, body=body)

    def _post_items(self, now: datetime) -> None:
        due = [item for item in self._items if item.at <= now]
        if not due:
            return
        self._items = [item for item in self._items if item.at > now]
        due.sort(key=lambda item: item.at, reverse=self.reorder)
        size = max(1, min(self.batch, MAX_UPDATES))
        for start in range(0, len(due), size):
            request = self.signed(_encoded(self._document(due[start : start + size])))
            for _ in range(2 if self.duplicates else 1):
                self._pending.append(Pending(request, first=now, again=now))

    def _document(self, items: Sequence[Item]) -> dict[str, Any]:
        changes = [{"value": self._value(item), "field": item.field} for item in items]
        return {"object": "whatsapp_business_account", "entry": [{"id": self.world.waba_id, "changes": changes}]}

    def _value(self, item: Item) -> dict[str, Any]:
        number = self.world.numbers[item.account]
        metadata = {"display_phone_number": number.display, "phone_number_id": number.id}
        inner: dict[str, Any] = {"contacts": item.contacts} if item.contacts else {}
        inner[item.kind] = [item.item]
        value = {"messaging_product": "whatsapp", "metadata": metadata}
        return {**value, item.field: inner} if item.nested else {**value, **inner}

    def _tell_status(self, status: StatusTold, now: datetime) -> None:
        customer = status.customer
        contacts = [customer.contact()] if customer and status.name != "failed" else []
        self._items.append(Item(now + status.after, "messages", status.account, "statuses", status.item, contacts))

    # --- what customers do ----------------------------------------------------------------------------------------

    def send(
        self,
        customer: Customer,
        content: Mapping[str, Any],
        now: datetime,
        *,
        account: str | None = None,
        reply_to: str | None = None,
        group: str | None = None,
        standby: bool = False,
    ) -> str:
        """A message with `content` (see `simulator_content.py`), by its id. It opens the customer's window."""
        account = account or next(iter(self.world.numbers))
        number = self.world.numbers[account]
        message_id = self._wamid(customer)
        item: dict[str, Any] = {**customer.sender(), "id": message_id, "timestamp": _seconds(now), **content}
        if reply_to:
            item["context"] = {"from": number.display, "id": reply_to}
        if group:
            item["group_id"] = group
        else:
            customer.windows[account] = now + timedelta(hours=24)
        field = "standby" if standby else "messages"
        self._items.append(Item(now, field, account, "messages", item, [customer.contact()], nested=standby))
        return message_id

    def echo(self, customer: Customer, content: Mapping[str, Any], now: datetime, account: str | None = None) -> str:
        """The business wrote from its phone app."""
        account = account or next(iter(self.world.numbers))
        message_id = self._wamid(customer)
        theirs = {"to": customer.phone} if customer.shows_phone else {"to_user_id": customer.user_id}
        item = {"from": self.world.numbers[account].display, **theirs, "id": message_id, "timestamp": _seconds(now)}
        self._items.append(Item(now, "smb_message_echoes", account, "message_echoes", {**item, **content}, []))
        return message_id

    def call(self, customer: Customer, event: str, now: datetime, call_id: str, account: str | None = None) -> None:
        account = account or next(iter(self.world.numbers))
        item = {**customer.sender(), "id": call_id, "to": self.world.numbers[account].display, "event": event}
        item |= {"timestamp": _seconds(now), "direction": "USER_INITIATED"}
        self._items.append(Item(now, "calls", account, "calls", item, [customer.contact()]))

    def read(self, customer: Customer, now: datetime) -> None:
        """The customer looks at everything that has arrived."""
        for shown in self.shown(customer):
            if shown.status not in ("read", "failed"):
                shown.status = "read"
                self._tell_status(simulator_api.status_told(shown, "read", now), now)

    def tell(self, message_id: str, status: str, now: datetime, code: int | None = None) -> None:
        """Any status at any time, in whatever order: `read` without `delivered`, `failed` after `sent`."""
        told = simulator_api.status_told(self.world.shown[message_id], status, now, code=code, title="told to fail")
        self._tell_status(told, now)

    def change_number(self, customer: Customer, phone: str, user_id: str | None, now: datetime) -> None:
        """A new number also gives a new user id."""
        system: dict[str, Any] = {
            "body": f"User {customer.name} changed from {customer.phone} to {phone}",
            "wa_id": phone,
            "type": "user_changed_number",
        }
        if user_id and customer.user_id:
            system |= {"user_id": user_id, "previous_user_id": customer.user_id}
        self._tell_system(customer, {"from": customer.phone}, system, now)
        customer.phone, customer.user_id = phone, user_id

    def change_user_id(self, customer: Customer, user_id: str, now: datetime) -> None:
        system = {"body": f"User {customer.name} changed", "user_id": user_id, "type": "user_changed_user_id"}
        if customer.user_id:
            system["previous_user_id"] = customer.user_id
        self._tell_system(customer, {}, system, now)
        customer.user_id = user_id

    def _tell_system(self, customer: Customer, sender: dict[str, Any], system: dict[str, Any], now: datetime) -> None:
        account = next(iter(self.world.numbers))
        item = {**sender, "id": self._wamid(customer), "timestamp": _seconds(now), "type": "system", "system": system}
        self._items.append(Item(now, "messages", account, "messages", item, []))

    def _wamid(self, customer: Customer) -> str:
        if customer not in self.world.customers:
            self.world.customers.append(customer)
        return simulator_api.wamid(customer, next(self.world.ids))


def _seconds(now: datetime) -> str:
    return str(int(now.timestamp()))


def _encoded(document: dict[str, Any]) -> bytes:
    """As Meta does: non-ASCII text and slashes are escaped."""
    return json.dumps(document, ensure_ascii=True, separators=(",", ":")).replace("/", "\\/").encode()
