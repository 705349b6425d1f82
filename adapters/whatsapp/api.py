"""Calls of the Graph API, and what their answers say.

Rule: an adapter holds no token; every call names the credential, and the transport puts it in.
"""

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from adapters.base import Auth, Flow, Health, HttpCall, NoAnswer, Refused, Reply, SendError
from adapters.whatsapp import wire
from adapters.whatsapp.codes import send_error
from normalizer.codec import clean

T = TypeVar("T")
TOKEN = Auth("access_token")
_JSON = {"content-type": "application/json"}


class Api(Struct, frozen=True):
    """The API as one number of ours sees it."""

    graph_url: str
    account: str

    def url(self, path: str) -> str:
        return f"{self.graph_url.rstrip('/')}/{path}"

    def post(self, payload: Mapping[str, Any]) -> HttpCall:
        body = encode({"messaging_product": "whatsapp", **payload})
        return HttpCall(method="POST", url=self.url(f"{self.account}/messages"), headers=_JSON, body=body, auth=TOKEN)

    def get(self, path: str) -> HttpCall:
        return HttpCall(method="GET", url=self.url(path), auth=TOKEN)


def encode(payload: Any) -> bytes:
    try:
        return msgspec.json.encode(payload)
    except UnicodeEncodeError:
        return msgspec.json.encode(clean(payload))


def ask(call: HttpCall, type: type[T]) -> Flow[T]:
    """The readable answer to a call. Raises SendError; NoAnswer for a 2xx that can not be read."""
    reply: Reply = yield call
    if not 200 <= reply.status < 300:
        raise send_error(reply)
    try:
        answer = msgspec.json.decode(reply.body, type=type)
    except (msgspec.DecodeError, RecursionError):
        raise NoAnswer(f"status {reply.status} with an unreadable body") from None
    if answer == type() and b'"error"' in reply.body:
        raise send_error(reply)
    return answer


def account_of(accounts: Sequence[str], *wanted: str | None) -> str:
    """The number to send from: the one that is asked for, else the only one. Raises Refused."""
    found = next(filter(None, wanted), None) or (accounts[0] if len(accounts) == 1 else None)
    if found is None:
        raise Refused("several numbers, and none is named")
    return found


def probe(api: Api, waba_id: str | None) -> Flow[Health]:
    """Asks for the number itself (address, token and id are right if it answers), and whether webhooks are on."""
    fields = "display_phone_number,verified_name,quality_rating"
    try:
        number = yield from ask(api.get(f"{api.account}?fields={fields}"), wire.NumberInfo)
    except SendError as error:
        return Health(ok=False, detail=f"{error.code}: {error.text}")
    found = f"number {api.account} answers, quality {number.quality_rating or 'unknown'}"
    if waba_id is None:
        return Health(ok=True, detail=found)
    try:
        apps = yield from ask(api.get(f"{waba_id}/subscribed_apps"), wire.SubscribedApps)
    except SendError as error:
        # Reading this takes a permission of its own, which sending does not need.
        return Health(ok=True, detail=f"{found}; its webhooks could not be checked ({error.code})")
    if not apps.data:
        return Health(ok=False, detail=f"{found}; no app is subscribed to account {waba_id}: nothing will come in")
    return Health(ok=True, detail=f"{found}; webhooks are on")
