"""What tests of the adapters that get mail by webhook share: their settings, and the mails of the mailbox's own tests.

Rule: a mail means the same wherever it comes from, so each adapter is held to those tables too.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tests.adapters.mail.mails_machines import DSN, LOOPS, WORDS
from tests.adapters.mail.mails_people import SENDERS, THREADS
from tests.adapters.mail.mails_text import FILES, MARKUP, QUOTES, TEXT
from tests.adapters.mail.support import ADDRESS, KEY, OLD_KEY, OUR_ID, OURS
from tests.kit import InboundCase

HOOK_URL = "https://gateway.example.org/hooks/endpoint"
SMTP_PASSWORD = "the-password-of-our-mail-server"
SETTINGS: Mapping[str, Any] = {
    "addresses": (ADDRESS, "Sales@shop.example"),
    "token_keys": (KEY, OLD_KEY),
    "authserv_ids": ("mx.shop.example",),
    "smtp_host": "smtp.shop.example",
    "smtp_user": "desk",
    "smtp_password": SMTP_PASSWORD,
}
SECRETS = (KEY, OLD_KEY, SMTP_PASSWORD)
MAILS: Sequence[InboundCase] = [*TEXT, *MARKUP, *QUOTES, *FILES, *SENDERS, *THREADS, *DSN, *WORDS, *LOOPS]


def through(
    type_: str, post: Callable[[bytes], tuple[bytes, Mapping[str, str]]], **facts: Callable[[Mapping[str, Any]], Any]
) -> list[InboundCase]:
    """The mails as a provider posts them. `facts`: what it makes different in the envelopes."""
    return [_posted(case, type_, post, facts) for case in MAILS if _named(case)]


def _named(case: InboundCase) -> bool:
    """With ids of its own, and nothing that only a mailbox tells."""
    return all(want.get("dedupe_keys") for want in case.want) and not (case.headers or case.path)


def _posted(case: InboundCase, type_: str, post: Any, facts: Mapping[str, Any]) -> InboundCase:
    body, headers = post(case.body)
    want = [{**want, "channel_type": type_, **{name: make(want) for name, make in facts.items()}} for want in case.want]
    return InboundCase(case.label, body, want, headers=headers)


def fate(type_: str, status: str, recipient: str | None, *, at: str = "2026-01-02T03:00:00Z", target: str = OUR_ID,
         **failure: str) -> dict[str, Any]:  # fmt: skip
    """The receipt of a mail that we sent as OUR_ID, or that its provider calls `target`."""
    who = {"recipient": {"scheme": "mailto", "value": recipient}} if recipient else {}
    ours = {"native_thread": OURS, "echo_key": "cmd_0011:0"} if target == OUR_ID else {}
    key = f"{status}:{target}:{'mailto:' + recipient if recipient else ''}"
    body = {"kind": "receipt", "status": status, "target": target, **who, **({"failure": failure} if failure else {})}
    return {"direction": "in", "channel_type": type_, "endpoint_id": "endpoint", "account": ADDRESS, "occurred_at": at,
            "received_at": "2026-01-02T03:04:05Z", "dedupe_keys": [key], **ours, "body": body}  # fmt: skip


def multipart(*fields: tuple[str, str | bytes] | tuple[str, str | bytes, str, str]) -> tuple[bytes, dict[str, str]]:
    """A form by hand; a file has a name and a type behind its bytes."""
    lines = b""
    for name, value, *file in fields:
        names = f'name="{name}"' + (f'; filename="{file[0]}"' if file else "")
        type_ = f"Content-Type: {file[1]}\r\n" if file else ""
        head = f"--xYzZY\r\nContent-Disposition: form-data; {names}\r\n{type_}\r\n"
        lines += head.encode() + (value.encode() if isinstance(value, str) else value) + b"\r\n"
    return lines + b"--xYzZY--\r\n", {"content-type": "multipart/form-data; boundary=xYzZY"}
