"""Names of threads, and the proof that we gave them: in plus-addresses, in our Message-IDs and in References.

A thread is named after the first message of its chain. Where our mail carries the name, a MAC stands beside it:

    support+<thread><mac>@shop.example           Reply-To
    <<ref>.<thread>.<mac>@shop.example>          Message-ID; `ref` is the echo key of the send
    <<thread><mac>@shop.example>                 the anchor: first of our References, so that clients group what we send

Rule: lower-case letters and digits only, because some mail servers lower-case what they pass on.
Rule: 80 bits of name, 100 bits of MAC. A name whose MAC does not fit is no name.
"""

import hmac
import re
from base64 import b32encode
from collections.abc import Sequence
from hashlib import blake2b

from msgspec import Struct

_THREAD, _MAC = 16, 20
_TOKEN = re.compile(r"[a-z2-7]{36}")
_OWN_ID = re.compile(
    r"(?<![A-Za-z0-9_-])([A-Za-z0-9_-]{1,80}(?:\.[0-9]{1,6})?)\.([a-z2-7]{16})\.([a-z2-7]{20})"
    r"@(?:[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252}[A-Za-z0-9])?|\[[0-9A-Fa-f.:IPv]{3,60}\])"
)
_REF = re.compile(r"[A-Za-z0-9_-]{1,80}(?::[0-9]{1,6})?")


class OwnId(Struct, frozen=True):
    """A Message-ID of ours, taken apart; `ref` is what `message_id_for` was given."""

    ref: str
    thread: str


def thread_of(root: str) -> str:
    """The name of the thread that begins with this Message-ID (or with this send, by its echo key)."""
    return _letters(blake2b(root.encode("utf-8", "surrogatepass"), digest_size=10).digest())


def token_for(thread: str, key: str) -> str:
    """36 characters, for the plus-part of an address."""
    return thread + _mac(key, "thread", thread)


def check_token(text: str, keys: Sequence[str]) -> str | None:
    """The thread, when one of the keys made this token."""
    text = text.lower()
    if not _TOKEN.fullmatch(text):
        return None
    thread, mac = text[:_THREAD], text[_THREAD:]
    return thread if _fits(mac, keys, "thread", thread) else None


def anchor_for(thread: str, key: str, domain: str) -> str:
    """A Message-ID that no message bears; our mails of one thread refer to it."""
    return f"{token_for(thread, key)}@{domain}"


def message_id_for(ref: str, thread: str, key: str, domain: str) -> str:
    """Of a mail of ours: the same send has the same one, however often it is tried."""
    if not _REF.fullmatch(ref):
        ref = blake2b(ref.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
    return f"{ref.replace(':', '.')}.{thread}.{_mac(key, 'message', ref, thread)}@{domain}"


def read_own_id(text: str, keys: Sequence[str]) -> OwnId | None:
    """What a Message-ID of ours says; None for anybody else's, and for one that only looks like ours."""
    found = _OWN_ID.fullmatch(text)
    if not found:
        return None
    ref, thread, mac = found[1].replace(".", ":"), found[2], found[3]
    return OwnId(ref, thread) if _fits(mac, keys, "message", ref, thread) else None


def like_own_ids(text: str) -> tuple[str, ...]:
    """What stands in a text and is built like a Message-ID of ours; nothing is proven yet."""
    return tuple(dict.fromkeys(match[0] for match in _OWN_ID.finditer(text)))


def thread_named_by(id: str, keys: Sequence[str]) -> str | None:
    """The thread that a Message-ID or anchor of ours proves to belong to."""
    own = read_own_id(id, keys)
    return own.thread if own else check_token(id.partition("@")[0], keys)


def _fits(mac: str, keys: Sequence[str], *parts: str) -> bool:
    fits = False
    for key in keys:
        # Every key is tried, so that the time tells nothing about which one fits.
        fits |= hmac.compare_digest(_mac(key, *parts), mac)
    return fits


def _mac(key: str, *parts: str) -> str:
    made = hmac.new(key.encode(), "\x1f".join(parts).encode(), "sha256").digest()
    return _letters(made)[:_MAC]


def _letters(data: bytes) -> str:
    return b32encode(data).decode().rstrip("=").lower()
