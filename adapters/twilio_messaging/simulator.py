"""Twilio's messaging seen from the other side: customers with phones, its API, and its webhooks. Pure and stateful.

It keeps what it was sent, answers as the API does, and refuses what that refuses: a closed window, somebody who has
opted out, content that does not fit, a wrong token. The adapter's own reading and signing are not used here.

Rule: ids come from an iterator and times as arguments, so that a run can be replayed.
Rule: a webhook comes once, and only once more when nobody took the connection, unless the fragment of its URL asks for
more (`#rc=5&rp=all`): what was answered with an error is in the list of messages, and nowhere else.
"""

import base64
import hmac
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from hashlib import sha1
from typing import Any
from urllib.parse import parse_qsl, urlencode

from msgspec import Struct

from adapters.base import Reply, Request
from adapters.twilio_messaging import simulator_api
from adapters.twilio_messaging.simulator_world import WINDOW, Customer, Row, Told, World

FORM = "application/x-www-form-urlencoded"
OPT_OUT, OPT_IN = ("stop", "stopall", "unsubscribe", "cancel", "end", "quit"), ("start", "unstop")
AGAIN_AFTER = timedelta(seconds=1)


class Pending(Struct, eq=False):
    """A webhook on its way."""

    request: Request
    url: str
    """As Twilio was told it; the fragment says how often it may come again."""
    again: datetime
    tries: int = 0
    told: bool = False
    """Handed out, and not yet answered."""


class Twilio:
    """`Provider` for one account with any number of senders."""

    def __init__(
        self,
        *,
        account_sid: str,
        auth_token: str,
        webhook_url: str,
        senders: Sequence[str],
        ids: Iterator[str],
        **places: Any,
    ) -> None:
        """`places`: the URLs and services of `World`. The webhook's URL may have a fragment."""
        self.world = World(account_sid=account_sid, auth_token=auth_token, senders=list(senders), ids=ids, **places)
        self.duplicates = False
        """Tell each webhook twice."""
        self.reorder = False
        """Tell the newest first."""
        self.lost: list[Request] = []
        """Webhooks that nobody took, and that will not come again."""
        self._webhook_url = webhook_url
        self._pending: list[Pending] = []

    # --- the API --------------------------------------------------------------------------------------------------

    def answer(self, request: Request, now: datetime) -> Reply:
        reply, told = simulator_api.answer(self.world, request, now)
        for one in told:
            self._tell(one, now)
        return reply

    def shown(self, customer: Customer) -> list[Row]:
        """What is on the customer's screen: of what we sent, what arrived."""
        arrived = ("delivered", "read")
        return [row for row in self.world.rows.values() if row.customer is customer and row.status in arrived]

    # --- webhooks -------------------------------------------------------------------------------------------------

    def due(self, now: datetime) -> Sequence[Request]:
        due = [pending for pending in self._pending if not pending.told and pending.again <= now]
        due.sort(key=lambda pending: pending.again, reverse=self.reorder)
        for pending in due:
            pending.told, pending.tries = True, pending.tries + 1
        return [pending.request for pending in due]

    def next_due(self) -> datetime | None:
        """When `due` has something next; None: never."""
        return min((pending.again for pending in self._pending if not pending.told), default=None)

    def delivered(self, request: Request, status: int, now: datetime | None = None) -> None:
        """How the gateway answered; 0: it could not be reached. `now`: from when on it may come again."""
        pending = next((one for one in self._pending if one.told and one.request == request), None)
        if pending is None:
            return
        tries, kinds = _policy(pending.url)
        kind = "ct" if status == 0 else f"{status // 100}xx"
        if not 200 <= status < 300 and pending.tries <= tries and kinds & {kind, "all"}:
            pending.told, pending.again = False, (now or pending.again) + AGAIN_AFTER
            return
        self._pending.remove(pending)
        if not 200 <= status < 300:
            self.lost.append(request)

    @property
    def undelivered(self) -> int:
        return len(self._pending)

    def signed(self, url: str, fields: Mapping[str, str]) -> Request:
        """A form as Twilio posts it; the fragment of the URL stays here."""
        url = url.partition("#")[0]
        text = url + "".join(name + fields[name] for name in sorted(fields))
        digest = hmac.new(self.world.auth_token.encode(), text.encode(), sha1).digest()
        headers = {"content-type": FORM, "x-twilio-signature": base64.b64encode(digest).decode()}
        headers["i-twilio-idempotency-token"] = next(self.world.ids)
        return Request(method="POST", url=url, headers=headers, body=urlencode(fields).encode())

    def _post(self, url: str, fields: Mapping[str, str], at: datetime) -> None:
        request = self.signed(url, fields)
        for _ in range(2 if self.duplicates else 1):
            self._pending.append(Pending(request, url, at))

    # --- what customers do ----------------------------------------------------------------------------------------

    def send(
        self,
        customer: Customer,
        content: Mapping[str, str],
        now: datetime,
        *,
        to: str | None = None,
        media: Sequence[str] = (),
        reply_to: str | None = None,
        told: bool = True,
    ) -> str:
        """A message with `content` (see `simulator_content.py`), by its id. `told` False: its webhook is lost."""
        world, to = self.world, to or self.world.senders[0]
        if customer not in world.customers:
            world.customers.append(customer)
        sid = ("MM" if media else "SM") + next(world.ids)
        service = next((name for name, numbers in world.services.items() if to in numbers), None)
        row = Row(sid, "inbound", customer.address(to), to, content.get("Body", ""), now, service, list(media))
        row.customer, world.rows[sid] = customer, row
        for me in media:
            world.media[me].message = sid
        customer.windows[to] = now + WINDOW
        self._keyword(customer, to, row.body)
        if told:
            self._post(self._webhook_url, self._fields(customer, row, content, reply_to), now)
        return sid

    def _keyword(self, customer: Customer, to: str, body: str) -> None:
        """Twilio obeys the default words for phone numbers."""
        if ":" not in to and body.strip().lower() in OPT_OUT:
            customer.opted_out.add(to)
        if ":" not in to and body.strip().lower() in OPT_IN:
            customer.opted_out.discard(to)

    def _fields(self, customer: Customer, row: Row, content: Mapping[str, str], reply_to: str | None) -> dict[str, str]:
        fields = {"MessageSid": row.sid, "SmsSid": row.sid, "SmsMessageSid": row.sid, "SmsStatus": "received"}
        fields |= {"AccountSid": self.world.account_sid, "ApiVersion": "2010-04-01", "NumSegments": "1"}
        fields |= {"From": row.from_, "To": row.to, "NumMedia": str(len(row.media))}
        fields |= {"MessagingServiceSid": row.service} if row.service else {}
        base = f"{self.world.api_url}/2010-04-01/Accounts/{self.world.account_sid}/Messages/{row.sid}/Media"
        for place, me in enumerate(row.media):
            fields |= {f"MediaUrl{place}": f"{base}/{me}", f"MediaContentType{place}": self.world.media[me].mime}
        if row.to.startswith("whatsapp:"):
            fields |= {"ProfileName": customer.name, **content}
            fields |= {"WaId": customer.phone.lstrip("+")} if customer.shows_phone else {}
            fields |= {"ExternalUserId": f"whatsapp:{customer.user_id}"} if customer.user_id else {}
            return fields | ({"OriginalRepliedMessageSid": reply_to} if reply_to else {})
        plain = {name: value for name, value in content.items() if name != "MessageType"}
        empty = dict.fromkeys(("FromCity", "FromState", "FromZip", "ToCity", "ToState", "ToZip"), "")
        return {**fields, **empty, **plain}

    def read(self, customer: Customer, now: datetime) -> None:
        """The customer looks at everything that has arrived; SMS does not tell it."""
        for row in self.shown(customer):
            if row.status == "delivered" and ":" in row.from_:
                self._tell(Told(row, "read"), now)

    def tell(self, sid: str, status: str, now: datetime, code: int | None = None) -> None:
        """Any status at any time, in whatever order: `read` without `delivered`, `undelivered` after `sent`."""
        self._tell(Told(self.world.rows[sid], status, code), now)

    def _tell(self, told: Told, now: datetime) -> None:
        row, url = told.row, told.row.fields.get("StatusCallback", [""])[0]
        row.status, row.error = told.status, told.code
        if not url or not self.world.receipts:
            return
        fields = {"MessageSid": row.sid, "SmsSid": row.sid, "MessageStatus": told.status, "SmsStatus": told.status}
        fields |= {"AccountSid": self.world.account_sid, "ApiVersion": "2010-04-01", "From": row.from_, "To": row.to}
        fields |= {"MessagingServiceSid": row.service} if row.service else {}
        fields |= {"ErrorCode": str(told.code), "ErrorMessage": f"of {row.to}"} if told.code else {}
        if row.to.startswith("whatsapp:"):
            fields |= {"ChannelPrefix": "whatsapp", "ChannelToAddress": row.to.partition(":")[2]}
            fields |= {"EventType": told.status.upper()} if told.status in ("delivered", "read") else {}
        self._post(url, fields, now + told.after + timedelta(seconds=self.world.receipts_late_s))


def _policy(url: str) -> tuple[int, set[str]]:
    """How often a webhook comes again, and after what."""
    options = dict(parse_qsl(url.partition("#")[2]))
    return int(options.get("rc", "1")), set(options.get("rp", "ct").split(","))
