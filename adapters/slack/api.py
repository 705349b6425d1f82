"""Calls of the Web API, and what their answers say.

Rule: an adapter holds no token; every call names the credential, and the transport puts it in.
"""

from collections.abc import Mapping
from typing import Any, TypeVar
from urllib.parse import urlencode

import msgspec
from msgspec import Struct

from adapters.base import Auth, Flow, Health, HttpCall, NoAnswer, Reply, SendError
from adapters.slack import wire
from adapters.slack.codes import send_error
from normalizer.codec import clean

A = TypeVar("A", bound=wire.Answer)
BOT_TOKEN = Auth("bot_token")
APP_TOKEN = Auth("app_token")
SCOPES = frozenset({"chat:write", "im:history", "im:write", "users:read", "files:read", "files:write"})
"""Without these a customer is not read or not answered; those of channels depend on which are used."""
_JSON = {"content-type": "application/json; charset=utf-8"}
_FORM = {"content-type": "application/x-www-form-urlencoded"}


class Api(Struct, frozen=True):
    """The API as our app sees it."""

    api_url: str

    def url(self, method: str) -> str:
        return f"{self.api_url.rstrip('/')}/{method}"

    def post(self, method: str, payload: Mapping[str, Any]) -> HttpCall:
        given = {key: value for key, value in payload.items() if value is not None}
        return HttpCall(method="POST", url=self.url(method), headers=_JSON, body=encode(given), auth=BOT_TOKEN)

    def form(self, method: str, fields: Mapping[str, Any]) -> HttpCall:
        """Methods that read do not take JSON."""
        body = urlencode(clean({key: str(value) for key, value in fields.items() if value is not None})).encode()
        return HttpCall(method="POST", url=self.url(method), headers=_FORM, body=body, auth=BOT_TOKEN)


def encode(payload: Any) -> bytes:
    try:
        return msgspec.json.encode(payload)
    except UnicodeEncodeError:
        return msgspec.json.encode(clean(payload))


def ask(call: HttpCall, type: type[A], *, recipient: bool = False) -> Flow[A]:
    """The answer to a call that was a success. Raises SendError; NoAnswer for a 2xx that can not be read."""
    reply: Reply = yield call
    return read(reply, type, recipient=recipient)


def read(reply: Reply, type: type[A], *, recipient: bool = False) -> A:
    if not 200 <= reply.status < 300:
        raise send_error(reply, recipient=recipient)
    try:
        answer = msgspec.json.decode(reply.body, type=wire.Answer)
        if answer.ok is True:
            return msgspec.json.decode(reply.body, type=type)
    except (msgspec.DecodeError, RecursionError):
        raise NoAnswer(f"status {reply.status} with an unreadable body") from None
    if answer.ok is None:
        raise NoAnswer(f"status {reply.status} without a verdict")
    raise send_error(reply, recipient=recipient)


def probe(api: Api, team: str) -> Flow[Health]:
    """Asks who we are (token and workspace are right if it answers so); the headers tell our permissions."""
    reply: Reply = yield api.form("auth.test", {})
    try:
        identity = read(reply, wire.Identity)
    except SendError as error:
        return Health(ok=False, detail=f"{error.code}: {error.text}")
    found = identity.enterprise_id if identity.is_enterprise_install else identity.team_id
    if found != team:
        return Health(ok=False, detail=f"the token is of {found}, and team_id says {team}")
    missing = sorted(SCOPES - _scopes(reply)) if _scopes(reply) else []
    if missing:
        return Health(ok=False, detail=f"workspace {found} answers; permissions are missing: {', '.join(missing)}")
    return Health(ok=True, detail=f"workspace {found} answers, our user is {identity.user_id}")


def _scopes(reply: Reply) -> frozenset[str]:
    """Empty: not told."""
    told = next((value for name, value in reply.headers.items() if name.lower() == "x-oauth-scopes"), "")
    return frozenset(filter(None, (scope.strip() for scope in told.split(","))))
