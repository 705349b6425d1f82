"""Mailgun seen from the other side: its routes post what arrives, with HMAC signatures."""

import hmac
import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default
from hashlib import sha256

from adapters._mail.simulator import Arriving, World
from adapters._mail.simulator_posts import Posts, multipart
from adapters.base import Request

REPEATS_S = (300.0, 600.0, 900.0, 3600.0, 7200.0, 14400.0)


class Mailgun:
    """`posts` is the Provider."""

    def __init__(self, *, addresses: Sequence[str], signing_key: str, webhook_url: str, ids: Iterator[str],
                 mime: bool = True) -> None:  # fmt: skip
        """`mime`: the route's address ends in `/mime`, so that it gets whole messages."""
        self._signing_key, self._url, self._ids, self._mime = signing_key, webhook_url, ids, mime
        self.world = World(addresses=addresses, ids=ids)
        self.posts = Posts(self.world, self._post, REPEATS_S, stop_at=frozenset({406}))

    def event(self, event: str, recipient: str, message_id: str, now: datetime) -> None:
        """What became of a mail of ours, to the webhook for events."""
        data = {"event": event, "id": next(self._ids), "timestamp": now.timestamp(), "recipient": recipient,
                "message": {"headers": {"message-id": message_id}}}  # fmt: skip
        body = json.dumps({"signature": self._proof(now), "event-data": data}).encode()
        self.posts.tell(Request(method="POST", url=self._url, headers={"content-type": "application/json"}, body=body),
                        now)  # fmt: skip

    def _post(self, one: Arriving, now: datetime) -> Request:
        proof = self._proof(now)
        fields: list[tuple[str, str | bytes]] = [
            ("recipient", one.recipient),
            ("sender", one.mail_from),
            *proof.items(),
        ]
        files: list[tuple[str, str, str, bytes]] = []
        if self._mime:
            fields.append(("body-mime", one.data))
        else:
            mail = BytesParser(EmailMessage, policy=default).parsebytes(one.data)
            fields += _texts(mail)
            files = list(_files(mail))
            fields += _ids_of(mail)
        boundary = f"mailgun-{proof['token']}"
        headers = {"content-type": f"multipart/form-data; boundary={boundary}"}
        return Request(method="POST", url=self._url, headers=headers, body=multipart(fields, files, boundary))

    def _proof(self, now: datetime) -> dict[str, str]:
        timestamp, token = str(int(now.timestamp())), next(self._ids)
        digest = hmac.new(self._signing_key.encode(), f"{timestamp}{token}".encode(), sha256).hexdigest()
        return {"timestamp": timestamp, "token": token, "signature": digest}


def _texts(mail: EmailMessage) -> list[tuple[str, str | bytes]]:
    found: list[tuple[str, str | bytes]] = [("from", str(mail["From"])), ("subject", str(mail["Subject"]))]
    found.append(("message-headers", json.dumps([[name, str(value)] for name, value in mail.items()])))
    for field, kind in (("body-plain", "plain"), ("body-html", "html")):
        if (part := mail.get_body((kind,))) is not None:
            found.append((field, str(part.get_content())))
    return found


def _enclosed(mail: EmailMessage) -> Iterator[EmailMessage]:
    for part in mail.walk():
        if part.get_filename():
            yield part


def _files(mail: EmailMessage) -> Iterator[tuple[str, str, str, bytes]]:
    for number, part in enumerate(_enclosed(mail), 1):
        data = part.get_payload(decode=True)
        if isinstance(data, bytes):
            yield f"attachment-{number}", part.get_filename() or "", part.get_content_type(), data


def _ids_of(mail: EmailMessage) -> list[tuple[str, str | bytes]]:
    ids = {str(part["Content-ID"]): f"attachment-{number}" for number, part in enumerate(_enclosed(mail), 1)
           if part["Content-ID"]}  # fmt: skip
    return [("content-id-map", json.dumps(ids))] if ids else []
