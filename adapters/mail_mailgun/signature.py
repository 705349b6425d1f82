"""Mailgun's proof: HMAC-SHA256 of `timestamp + token` (https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks).

Rule: it does not cover the message, so an old one is refused and its token is a name of the event: a second message
      under the same token is a duplicate.
Rule: a sender can put fields of his own into the form. Who posted it is proved when the first or the last of each name
      fit together.
"""

import hmac
import re
from collections.abc import Sequence
from hashlib import sha256

import msgspec
from msgspec import Struct

from adapters._mail.formdata import read_form
from adapters.base import Malformed, RawInbound, Unauthentic

FUTURE_S = 300
"""Clocks differ."""

_TIMESTAMP = re.compile(r"[0-9]{1,11}", re.ASCII)
_TOKEN = re.compile(r"[A-Za-z0-9_-]{1,100}", re.ASCII)
_SIGNATURE = re.compile(r"[0-9a-f]{64}", re.ASCII)


class Proof(Struct, frozen=True):
    timestamp: str
    token: str
    signature: str


class Signed(Struct, frozen=True):
    signature: Proof


def check(raw: RawInbound, keys: Sequence[str], max_age_s: int) -> None:
    """Raises Unauthentic."""
    if raw.method != "POST":
        raise Unauthentic("only POST")
    if not any(_holds(proof, raw, keys, max_age_s) for proof in proofs(raw)):
        raise Unauthentic("no signature of ours, or too old")


def proofs(raw: RawInbound) -> Sequence[Proof]:
    """What it says of itself; nothing is proved yet."""
    try:
        if raw.headers.get("content-type", "").partition(";")[0].strip().lower() == "application/json":
            return [msgspec.json.decode(raw.body, type=Signed).signature]
        fields = read_form(raw)
    except (Malformed, ValueError, RecursionError):
        raise Unauthentic("nothing that Mailgun posts") from None
    given = {name: [one.text for one in fields if one.name == name] for name in Proof.__struct_fields__}
    if not all(given.values()):
        return []
    found = [Proof(**{name: values[place] for name, values in given.items()}) for place in (0, -1)]
    return found[:1] if found[0] == found[1] else found


def _holds(proof: Proof, raw: RawInbound, keys: Sequence[str], max_age_s: int) -> bool:
    if not (_TIMESTAMP.fullmatch(proof.timestamp) and _TOKEN.fullmatch(proof.token)):
        return False
    if not _SIGNATURE.fullmatch(proof.signature):
        return False
    age = raw.received_at.timestamp() - int(proof.timestamp)
    fits = False
    for key in keys:
        made = hmac.new(key.encode(), f"{proof.timestamp}{proof.token}".encode(), sha256).hexdigest()
        fits |= hmac.compare_digest(made, proof.signature)
    return fits and -FUTURE_S <= age <= max_age_s
