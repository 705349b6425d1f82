"""SendGrid seen from the other side: Inbound Parse posts what arrives, with ECDSA signatures."""

import json
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default

from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.hashes import SHA256

from adapters._mail.simulator import Arriving, World
from adapters._mail.simulator_posts import Posts, multipart
from adapters.base import Request

REPEATS_S = (60.0, 300.0, 900.0, 3600.0, *(3 * 3600.0,) * 24)
"""Up to three days."""


class SendGrid:
    """`posts` is the Provider."""

    def __init__(self, *, addresses: Sequence[str], private_key: EllipticCurvePrivateKey, webhook_url: str,
                 ids: Iterator[str], raw: bool = True) -> None:  # fmt: skip
        """`raw`: "Send Raw" is on, so that whole messages are posted."""
        self._private_key, self._url, self._ids, self._raw = private_key, webhook_url, ids, raw
        self.world = World(addresses=addresses, ids=ids)
        self.posts = Posts(self.world, self._post, REPEATS_S, stop_at=frozenset())

    def events(self, events: Sequence[Mapping[str, str]], now: datetime) -> None:
        """What became of mails of ours, to the webhook for events."""
        body = json.dumps([{**event, "sg_event_id": next(self._ids)} for event in events]).encode()
        headers = {"content-type": "application/json", **self._proof(body, now)}
        self.posts.tell(Request(method="POST", url=self._url, headers=headers, body=body), now)

    def _post(self, one: Arriving, now: datetime) -> Request:
        mail = BytesParser(EmailMessage, policy=default).parsebytes(one.data)
        boundary = f"sendgrid-{next(self._ids)}"
        domain = one.mail_from.rpartition("@")[2]
        fields: list[tuple[str, str | bytes]] = [
            ("dkim", f"{{@{domain} : {'pass' if one.proven else 'fail'}}}"),
            ("to", str(mail["To"])),
            ("from", str(mail["From"])),
            ("subject", str(mail["Subject"])),
            ("SPF", "pass"),
            ("sender_ip", "192.0.2.1"),
            ("envelope", json.dumps({"to": [one.recipient], "from": one.mail_from})),
        ]
        files: list[tuple[str, str, str, bytes]] = []
        if self._raw:
            fields.append(("email", one.data))
        else:
            fields += _texts(mail)
            files, told = _files(mail)
            fields += [("attachments", str(len(files))), ("attachment-info", json.dumps(told))]
        body = multipart(fields, files, boundary)
        headers = {"content-type": f"multipart/form-data; boundary={boundary}", **self._proof(body, now)}
        return Request(method="POST", url=self._url, headers=headers, body=body)

    def _proof(self, body: bytes, now: datetime) -> dict[str, str]:
        timestamp = str(int(now.timestamp()))
        how = ECDSA(SHA256(), deterministic_signing=True)
        signature = b64encode(self._private_key.sign(timestamp.encode() + body, how)).decode()
        return {
            "x-twilio-email-event-webhook-timestamp": timestamp,
            "x-twilio-email-event-webhook-signature": signature,
        }


def _texts(mail: EmailMessage) -> list[tuple[str, str | bytes]]:
    found: list[tuple[str, str | bytes]] = [("headers", "".join(f"{name}: {value}\n" for name, value in mail.items()))]
    charsets = {"to": "UTF-8", "from": "UTF-8", "subject": "UTF-8"}
    for kind, name in (("text", "plain"), ("html", "html")):
        part = mail.get_body((name,))
        data = part.get_payload(decode=True) if part is not None else None
        if part is not None and isinstance(data, bytes):
            found.append((kind, data.removesuffix(b"\n")))
            charsets[kind] = str(part.get_content_charset("us-ascii"))
    return [*found, ("charsets", json.dumps(charsets))]


def _files(mail: EmailMessage) -> tuple[list[tuple[str, str, str, bytes]], dict[str, dict[str, str]]]:
    files: list[tuple[str, str, str, bytes]] = []
    told: dict[str, dict[str, str]] = {}
    for part in mail.walk():
        name, data = part.get_filename(), part.get_payload(decode=True)
        if not name or not isinstance(data, bytes):
            continue
        field, mime = f"attachment{len(files) + 1}", part.get_content_type()
        files.append((field, name, mime, data))
        cid = {"content-id": str(part["Content-ID"]).strip("<>")} if part["Content-ID"] else {}
        told[field] = {"filename": name, "name": name, "type": mime, **cid}
    return files, told
