"""Secrets as calls need them: what the operator wrote down, and access tokens that an OAuth 2.0 grant gives.

Rule: a plain secret is given at once; nothing is looked up, awaited or copied for it.
Rule: a grant is renewed by one at a time, on all nodes, under a lease in its row; what came of it is sealed and stored
      before anybody uses it: a rotated refresh token that is lost locks us out.
Rule: a token that is still good outlives a token server in trouble. What the server refuses rests before it is tried
      again: accounts are locked for less.
"""

import asyncio
import re
from collections.abc import Mapping
from hashlib import blake2b
from typing import Annotated, Any, TypeVar
from urllib.parse import urlencode

import msgspec
from msgspec import Meta, Struct

from adapters.base import (
    CredentialsRefused,
    Flow,
    Grant,
    HttpCall,
    NoAnswer,
    Reply,
    SendError,
    Throttled,
    Unavailable,
)
from gateway.clock import Clock, Ids
from gateway.directory import Mounted
from gateway.security import NONCE_BYTES, key_id, seal, subkey, unseal
from gateway.store import grants
from gateway.store.grants import Kept, Place
from gateway.store.store import Store, StoreUnavailable
from gateway.store.tx import Tx
from gateway.transport import Push, Transport

T = TypeVar("T")

CODE = re.compile(r"[a-z][a-z0-9_]{0,63}")
TROUBLE = frozenset(
    {
        "fatal_error", "internal_error", "ratelimited", "request_timeout", "server_error", "service_unavailable",
        "temporarily_unavailable",
    }
)  # fmt: skip
"""Errors of a token server that are over by themselves; some servers answer 200 with any of theirs."""
LOOK_AGAIN_S = 0.2
"""While another node renews."""


class CredentialSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    renew_before_s: Annotated[
        int, Meta(ge=0, description="An access token is renewed so long before it ends, or half-way if it is short.")
    ] = 300
    assumed_life_s: Annotated[
        int, Meta(ge=1, description="How long one is good whose server does not say.")
    ] = 1_800  # fmt: skip
    timeout_ms: Annotated[int, Meta(ge=1, description="Time limit of asking a token server.")] = 8_000
    lease_ms: Annotated[int, Meta(ge=1, description="How long one node has to renew it; longer than the limit.")] = (
        30_000
    )
    refused_pause_s: Annotated[
        int, Meta(ge=1, description="A grant that was refused is not tried again before it.")
    ] = 60  # fmt: skip
    trouble_pause_s: Annotated[int, Meta(ge=1, description="The same after any other trouble of its server.")] = 5


class Token(Struct, frozen=True, kw_only=True):
    """As it is kept. Times are milliseconds of the store's clock."""

    access: str
    refresh: str | None
    renew_at: int
    ends_at: int


class Granted(Struct, frozen=True, kw_only=True):
    """What a token server gave (RFC 6749 §5.1)."""

    access_token: str
    expires_in: float | None = None
    refresh_token: str | None = None


class Held(Struct, frozen=True):
    """The lease is ours; `refresh` is what the renewal starts from."""

    epoch: int
    refresh: str | None


class Credentials:
    """`store` None: grants can not be used, for want of a place to keep what they give."""

    def __init__(self, store: Store | None, transport: Transport, clock: Clock, ids: Ids, key: str,
                 settings: CredentialSettings) -> None:  # fmt: skip
        self._store, self._transport, self._clock, self._ids = store, transport, clock, ids
        self._settings = settings
        self._key, self._key_id = subkey(key, "credentials"), key_id(key)
        self._digests = subkey(key, "grants")
        self._tokens: dict[Place, Token] = {}
        self._refused: dict[Place, str] = {}
        """Access tokens that a provider did not take."""
        self._rests: dict[Place, tuple[float, SendError]] = {}
        self._flights: dict[Place, asyncio.Task[Token]] = {}
        self._unsaved: dict[Place, tuple[int, Token]] = {}
        """What a server gave and the store has not taken yet, with the epoch of its lease."""

    async def run(self, flow: Flow[T], mounted: Mounted, *, timeout_ms: int, push: Push | None = None) -> T:
        """An adapter's flow with the secrets of its endpoint, all within the time. Raises what the flow raises."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            secrets = mounted.plain or await self._in_time(mounted, timeout_ms)
        except SendError:
            flow.close()
            raise
        left_ms = max(1, timeout_ms - int((loop.time() - began) * 1000))
        try:
            return await self._transport.run(
                flow, endpoint=mounted.id, credentials=secrets, timeout_ms=left_ms, push=push
            )
        except CredentialsRefused:
            self.refused(mounted, secrets)
            raise

    async def of(self, mounted: Mounted) -> Mapping[str, str]:
        """Every secret of the endpoint by its name. Raises SendError, always certain: nothing went out."""
        if mounted.plain is not None:
            return mounted.plain
        return {
            name: value if isinstance(value, str) else (await self._token(mounted, name, value)).access
            for name, value in mounted.credentials.items()
        }

    async def _in_time(self, mounted: Mounted, timeout_ms: int) -> Mapping[str, str]:
        try:
            async with asyncio.timeout(timeout_ms / 1000):
                return await self.of(mounted)
        except TimeoutError:
            raise Unavailable("there was no token in time") from None

    async def secret(self, mounted: Mounted, name: str) -> str:
        """One of them. Raises SendError."""
        value = mounted.credentials.get(name)
        if value is None:
            raise CredentialsRefused(f"no credential named {name}")
        return value if isinstance(value, str) else (await self._token(mounted, name, value)).access

    def refused(self, mounted: Mounted, secrets: Mapping[str, str]) -> None:
        """The provider did not take them: tokens among them are renewed before they are used again."""
        for name, value in mounted.credentials.items():
            if isinstance(value, Grant) and name in secrets:
                place = self._place(mounted, name, value)
                self._refused[place] = secrets[name]
                self._tokens.pop(place, None)

    def _place(self, mounted: Mounted, name: str, grant: Grant) -> Place:
        digest = blake2b(msgspec.json.encode(grant), key=self._digests, digest_size=16).hexdigest()
        return Place(mounted.id, name, digest)

    async def _token(self, mounted: Mounted, name: str, grant: Grant) -> Token:
        place = self._place(mounted, name, grant)
        known = self._tokens.get(place)
        if known is not None and self._now() < known.renew_at:
            return known
        try:
            return await self._renewed(place, grant)
        except CredentialsRefused:
            raise
        except SendError:
            if known is not None and self._now() < known.ends_at:
                return known
            raise

    async def _renewed(self, place: Place, grant: Grant) -> Token:
        """One flight for all who ask meanwhile; who stops waiting does not stop it."""
        until, error = self._rests.get(place, (0.0, Unavailable()))
        if self._clock.monotonic() < until:
            raise error.with_traceback(None)
        flight = self._flights.get(place)
        if flight is None:
            flight = self._flights[place] = asyncio.create_task(self._renew(place, grant))
            flight.add_done_callback(lambda done: self._landed(place, done))
        return await asyncio.shield(flight)

    def _landed(self, place: Place, flight: "asyncio.Task[Token]") -> None:
        self._flights.pop(place, None)
        error = None if flight.cancelled() else flight.exception()
        if isinstance(error, SendError):
            refused = isinstance(error, CredentialsRefused)
            pause = self._settings.refused_pause_s if refused else self._settings.trouble_pause_s
            until = self._clock.monotonic() + max(pause, min(error.retry_after_s or 0.0, 3600.0))
            self._rests[place] = (until, error)
        elif error is None and not flight.cancelled():
            self._rests.pop(place, None)
            self._refused.pop(place, None)
            self._tokens[place] = flight.result()

    # --- renewing -----------------------------------------------------------------------------------------------------

    async def _renew(self, place: Place, grant: Grant) -> Token:
        if self._store is None:
            raise Unavailable("its tokens are kept in the database, which is not there")
        try:
            found = await self._taken(self._store, place, grant)
            return found if isinstance(found, Token) else await self._ask(self._store, place, grant, found)
        except StoreUnavailable:
            raise Unavailable("the database that keeps its tokens does not answer") from None

    async def _taken(self, store: Store, place: Place, grant: Grant) -> "Token | Held":
        while True:
            found = await store.write(lambda tx: self._take(tx, place, grant))
            self._unsaved.pop(place, None)
            if found is not None:
                return found
            await asyncio.sleep(LOOK_AGAIN_S)

    def _take(self, tx: Tx, place: Place, grant: Grant) -> Token | Held | None:
        """A token that is good, or the right to renew it. None: another node is about it."""
        row = grants.look(tx, place)
        unsaved = self._unsaved.get(place)
        if unsaved is not None and grants.keep(tx, place, unsaved[0], self._sealed(place, unsaved[1])):
            return unsaved[1]
        token = self._opened(place, row.kept)
        if token is not None and tx.now() < token.renew_at and token.access != self._refused.get(place):
            return token
        if tx.now() < row.leased_until:
            return None
        refresh = token.refresh if token is not None and token.refresh is not None else grant.refresh_token
        return Held(grants.lease(tx, place, row, self._settings.lease_ms), refresh)

    async def _ask(self, store: Store, place: Place, grant: Grant, held: Held) -> Token:
        try:
            granted = await self._transport.run(
                asking(grant, held.refresh), endpoint=place.endpoint_id, credentials={},
                timeout_ms=self._settings.timeout_ms,
            )  # fmt: skip
        except SendError as error:
            await store.write(lambda tx: grants.release(tx, place, held.epoch))
            raise _certain(error) from None
        token = self._kept(granted, held.refresh if grant.refresh_token else None)
        self._unsaved[place] = (held.epoch, token)
        kept = await store.write(lambda tx: grants.keep(tx, place, held.epoch, self._sealed(place, token)))
        self._unsaved.pop(place, None)
        if not kept:
            raise Unavailable("another node has renewed it meanwhile")
        return token

    def _kept(self, granted: Granted, refresh: str | None) -> Token:
        now, settings = self._now(), self._settings
        life_s = granted.expires_in if granted.expires_in and granted.expires_in > 0 else settings.assumed_life_s
        early_s = min(settings.renew_before_s, life_s / 2)
        return Token(
            access=granted.access_token,
            refresh=refresh and (granted.refresh_token or refresh),
            renew_at=now + int((life_s - early_s) * 1000),
            ends_at=now + int(life_s * 1000),
        )

    def _sealed(self, place: Place, token: Token) -> Kept:
        nonce = self._ids.token()[:NONCE_BYTES]
        return Kept(self._key_id, seal(self._key, msgspec.json.encode(token), nonce, _bound(place)))

    def _opened(self, place: Place, kept: Kept | None) -> Token | None:
        """What another key has sealed is lost: the grant as it is configured begins anew."""
        if kept is None or kept.key_id != self._key_id:
            return None
        try:
            return msgspec.json.decode(unseal(self._key, kept.sealed, _bound(place)), type=Token)
        except ValueError:
            return None

    def _now(self) -> int:
        return self._clock.now_ms() if self._store is None else self._store.now()


def _bound(place: Place) -> str:
    return f"{place.endpoint_id}/{place.name}"


def _certain(error: SendError) -> SendError:
    """Whatever became of the question, no message went out with it."""
    return Unavailable("the token server did not answer") if isinstance(error, NoAnswer) else error


# --- RFC 6749 -----------------------------------------------------------------------------------------------------


def asking(grant: Grant, refresh: str | None) -> Flow[Granted]:
    """§6, or §4.4 for a grant without a refresh token. The client's secret stands in the body (§2.3.1), which is what
    mail providers document.
    """
    fields = {"grant_type": "refresh_token", "refresh_token": refresh} if refresh else {
        "grant_type": "client_credentials"
    }  # fmt: skip
    fields |= {"client_id": grant.client_id}
    fields |= {"client_secret": grant.client_secret} if grant.client_secret else {}
    fields |= {"scope": grant.scope} if grant.scope else {}
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
    reply = yield HttpCall(method="POST", url=grant.token_url, headers=headers, body=urlencode(fields).encode())
    return answered(reply)


def answered(reply: Reply) -> Granted:
    """Raises SendError."""
    said = _object(reply.body)
    code = said.get("error")
    code = code if isinstance(code, str) and CODE.fullmatch(code) else None
    if reply.status == 200 and code is None:
        try:
            granted = msgspec.convert(said, Granted, strict=False)
        except msgspec.ValidationError:
            raise Unavailable("the token server's answer can not be read") from None
        if granted.access_token:
            return granted
        raise Unavailable("the token server gave an empty token")
    if reply.status == 429:
        raise Throttled("the token server", provider_code=code, retry_after_s=_seconds(reply))
    if reply.status in (200, 400, 401, 403) and code not in TROUBLE:
        raise CredentialsRefused("the grant", provider_code=code)
    raise Unavailable("the token server", provider_code=code or str(reply.status), retry_after_s=_seconds(reply))


def _object(body: bytes) -> dict[str, Any]:
    try:
        return msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.DecodeError, ValueError, RecursionError):
        return {}


def _seconds(reply: Reply) -> float | None:
    found = reply.headers.get("retry-after", "")
    return float(found) if found.isascii() and found.isdecimal() and len(found) < 10 else None
