"""Postmark seen from the other side: its inbound webhook posts what arrives as JSON, with Basic authentication."""

import json
from base64 import b64encode
from collections.abc import Iterator, Sequence
from datetime import datetime
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default
from email.utils import format_datetime
from typing import Any

from adapters._mail.simulator import Arriving, World
from adapters._mail.simulator_posts import Posts
from adapters.base import Request

REPEATS_S = (60.0, 300.0, 600.0, 600.0, 600.0, 900.0, 1800.0, 3600.0, 7200.0, 21600.0)
TAKEN_OUT = frozenset({"from", "to", "cc", "bcc", "subject", "date", "reply-to", "content-type", "mime-version"})
"""Fields of the mail that are not listed among `Headers`."""


class Postmark:
    """`posts` is the Provider."""

    def __init__(self, *, addresses: Sequence[str], user: str, password: str, webhook_url: str, ids: Iterator[str],
                 raw: bool = True) -> None:  # fmt: skip
        """`raw`: "Include raw email content in JSON payload" is on."""
        self._basic = "Basic " + b64encode(f"{user}:{password}".encode()).decode()
        self._url, self._ids, self._raw = webhook_url, ids, raw
        self.world = World(addresses=addresses, ids=ids)
        self.posts = Posts(self.world, self._post, REPEATS_S, stop_at=frozenset({403}))

    def event(self, kind: str, recipient: str, now: datetime, **facts: Any) -> None:
        """What became of a mail of ours, to the webhook for `Bounce`, `Delivery` ..."""
        document = {
            "RecordType": kind,
            "ID": len(next(self._ids)),
            "MessageID": next(self._ids),
            "Recipient": recipient,
        }
        self.posts.tell(self._request({**document, **facts}), now)

    def _request(self, document: dict[str, Any]) -> Request:
        headers = {"content-type": "application/json", "authorization": self._basic}
        return Request(method="POST", url=self._url, headers=headers, body=json.dumps(document).encode())

    def _post(self, one: Arriving, now: datetime) -> Request:
        mail = BytesParser(EmailMessage, policy=default).parsebytes(one.data)
        headers = [{"Name": "Return-Path", "Value": f"<{one.mail_from}>"}]
        headers += [
            {"Name": name, "Value": str(value)} for name, value in mail.items() if name.lower() not in TAKEN_OUT
        ]
        document: dict[str, Any] = {
            "FromName": "",
            "MessageStream": "inbound",
            "From": str(mail["From"].addresses[0].addr_spec) if mail["From"] else "",
            "FromFull": _people(mail, "From")[0] if mail["From"] else {},
            "ToFull": _people(mail, "To"),
            "CcFull": _people(mail, "Cc"),
            "BccFull": [],
            "OriginalRecipient": one.recipient,
            "Subject": str(mail["Subject"] or ""),
            "MessageID": next(self._ids),
            "ReplyTo": str(mail["Reply-To"] or ""),
            "MailboxHash": one.recipient.partition("@")[0].partition("+")[2],
            "Date": str(mail["Date"] or format_datetime(now)),
            "TextBody": _text(mail, "plain"),
            "HtmlBody": _text(mail, "html"),
            "StrippedTextReply": "",
            "Tag": "",
            "Headers": headers,
            "Attachments": list(_files(mail)),
        }
        if self._raw:
            document["RawEmail"] = one.data.decode("utf-8", "replace")
        return self._request(document)


def _people(mail: EmailMessage, field: str) -> list[dict[str, str]]:
    addresses = mail[field].addresses if mail[field] else ()
    return [{"Email": one.addr_spec, "Name": one.display_name, "MailboxHash": ""} for one in addresses]


def _text(mail: EmailMessage, kind: str) -> str:
    part = mail.get_body((kind,))
    return "" if part is None else str(part.get_content()).removesuffix("\n")


def _files(mail: EmailMessage) -> Iterator[dict[str, Any]]:
    for part in mail.walk():
        name, data = part.get_filename(), part.get_payload(decode=True)
        if name and isinstance(data, bytes):
            shown = {"Name": name, "Content": b64encode(data).decode(), "ContentType": part.get_content_type()}
            yield {**shown, "ContentLength": len(data), "ContentID": str(part["Content-ID"] or "").strip("<>")}
