"""`send`: a message through the running gateway, as an agent would write it.

Rule: it goes over the HTTP API like anybody else's, with a key that is made for it and revoked right after.
"""

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import aiohttp

from gateway.clock import Clock, Ids
from gateway.commands import Failed
from gateway.operator.house import opened
from gateway.operator.tokens import new_key
from gateway.security import Scope
from gateway.settings import Config
from gateway.store import keys, people, reads
from gateway.store.store import Store
from gateway.store.threads import LegRow
from gateway.store.tx import Tx
from normalizer.address import match_key, parse_address
from normalizer.ids import ChannelId, ConversationId, MatchKey

AGENT = "operator"
EVERY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  because it is where we listen, not what we open


def send(config: Config, to: str, text: str, channel: str | None = None, *, url: str | None = None) -> str:
    """`to`: a conversation or an address. What became of it, in words."""
    clock = Clock()
    ids = Ids(clock)
    with opened(config, clock) as store:
        conversation = store.read_now(lambda tx: find(tx, to, channel))
        expires = clock.now() + timedelta(milliseconds=2 * config.api.send_timeout_ms)
        token, record = new_key(ids, clock.now(), "throughline send", Scope.WRITE, expires)
        store.write_now(lambda tx: keys.add(tx, record))
        try:
            said = asyncio.run(_post(config, url, conversation, text, token, ids.uuid()))
        finally:
            _revoke(store, record.id)
    if said.get("seq") is None:
        return f"{conversation}: taken, not processed yet"
    return f"{conversation}: {said['envelope_id']} seq {said['seq']}"


def find(tx: Tx, to: str, channel: str | None) -> ConversationId:
    """The conversation that is meant. Raises Failed."""
    if ":" not in to:
        if reads.get_conversation(tx, ConversationId(to)) is None:
            raise Failed(f"{to}: no such conversation")
        return ConversationId(to)
    try:
        key = match_key(parse_address(to))
    except ValueError as error:
        raise Failed(f"{to}: {error}") from None
    if channel is None:
        raise Failed("An address needs --channel: the channel to send on")
    return _by_address(tx, to, key, ChannelId(channel))


def _by_address(tx: Tx, to: str, key: MatchKey, channel: ChannelId) -> ConversationId:
    contact = people.holders(tx, [key]).get(key)
    if contact is None:
        raise Failed(f"{to}: nobody with this address has written yet")
    conversations = {value.id: value for value in reads.conversations_of(tx, contact)}
    legs = [leg for leg in reads.legs_of(tx, conversations) if (leg.key, leg.channel_id) == (key, channel)]
    if not legs:
        raise Failed(f"{to} has not written on {channel} yet")
    answered = next((leg for leg in legs if conversations[leg.conversation_id].reply_leg == leg.id), None)
    if answered is None:
        raise Failed(f"{to} wrote elsewhere last, and answers go there: {_names(legs)}")
    return answered.conversation_id


def _names(legs: list[LegRow]) -> str:
    return "give the conversation instead, " + ", ".join(sorted({leg.conversation_id for leg in legs}))


def address_of(config: Config) -> str:
    """Where a gateway with this configuration listens, as seen from its own machine."""
    if config.server.port == 0:
        return config.public_url
    host = EVERY_ADDRESS.get(config.server.host, config.server.host)
    return f"http://[{host}]:{config.server.port}" if ":" in host else f"http://{host}:{config.server.port}"


async def _post(
    config: Config, url: str | None, conversation: str, text: str, token: str, key: str
) -> Mapping[str, Any]:
    url = url or address_of(config)
    headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": key}
    path = f"{url.rstrip('/')}/v1/conversations/{conversation}/messages"
    timeout = aiohttp.ClientTimeout(total=config.api.send_timeout_ms / 1000)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.post(path, headers=headers, json={"agent_id": AGENT, "text": text}) as answer,
        ):
            said: Mapping[str, Any] = await answer.json(content_type=None)
            if answer.status >= 400:
                raise Failed(": ".join(filter(None, (said.get("title", ""), said.get("detail", "")))))
            return said
    except (aiohttp.ClientError, TimeoutError, ValueError):
        raise Failed(f"No gateway answers at {url}; is it running?") from None


def _revoke(store: Store, id: str) -> None:
    store.write_now(lambda tx: keys.revoke(tx, id))
