"""What one request tells beside its content: for which installation it is, who we are there, and the envelopes of it.

Rule: an event is named by what it is about (channel and ts), because a mention arrives twice under two event ids, and
by its event id besides. What has neither is named by its intake row.
"""

from itertools import count
from typing import Any, Literal

from msgspec import Raw, Struct

from adapters.base import RawInbound
from adapters.slack import wire
from adapters.slack.people import address, instant
from normalizer.address import Address
from normalizer.envelope import Body, Envelope, Failure, Party, Unsupported, inbound_id

CHANNEL_TYPE = "slack"
Answers = Literal["mentions", "threads", "all"]
_NOBODY = Party()


class House(Struct, frozen=True):
    """What the settings say about us."""

    team: str
    bot_user: str | None = None
    answer: Answers = "mentions"
    colleagues: bool = False


class Delivery:
    """One request, and the making of its envelopes."""

    def __init__(self, raw: RawInbound, house: House, slice_: Raw, outer: wire.Outer, account: str | None = None):
        own = _authorization(outer, house.team)
        self.house = house
        self.outer = outer
        self.slice = slice_
        told = (own.team_id, own.enterprise_id, outer.context_team_id, outer.context_enterprise_id)
        self.account = account or account_of(house, *told, team=outer.team_id)
        self.our_user = (own.user_id if own.is_bot is not False else None) or house.bot_user
        self._raw = raw
        self._places = count()

    def group(self, channel: str | None) -> Address | None:
        return address(self.account, channel)

    def envelope(self, body: Body, *, key: str | None = None, at: str | None = None, **facts: Any) -> Envelope:
        place = next(self._places)
        keys = tuple(filter(None, (key, self.outer.event_id)))
        if facts.get("party") == _NOBODY:
            del facts["party"]
        name = keys[0] if keys else f"{self._raw.id}#{place}"
        return Envelope(
            id=inbound_id(self._raw.endpoint_id, self.account, name),
            direction="in",
            channel_type=CHANNEL_TYPE,
            endpoint_id=self._raw.endpoint_id,
            account=self.account,
            occurred_at=instant(at or f"{self.outer.event_time}.0", self._raw.received_at),
            received_at=self._raw.received_at,
            dedupe_keys=keys,
            body=body,
            raw=self.slice,
            **facts,
        )

    def notice(self, what: str, *failures: Failure, **facts: Any) -> Envelope:
        """About the workspace, not from a customer."""
        return self.envelope(Unsupported(what=what, failures=failures, visible=False), **facts)

    def unsupported(self, what: str, **facts: Any) -> Envelope:
        return self.envelope(Unsupported(what=what), **facts)


def account_of(house: House, *told: str | None, team: str | None = None) -> str | None:
    """The installation: ours if it is among those that are told, else another one's. An installation for a whole
    organization is told with the workspace that it happened in, or without. `team` is believed only where the settings
    name none: it may be the other side's.
    """
    if house.team and house.team in told:
        return house.team
    return next(filter(None, (*told, house.team, team)), None)


def _authorization(outer: wire.Outer, team: str) -> wire.Authorization:
    """Ours, else the first. The outer `team_id` may be the workspace that the event came from instead."""
    read = [found for found, _ in map(wire.read_authorization, outer.authorizations or ()) if found is not None]
    named = [one for one in read if one.team_id or one.enterprise_id]
    return next((one for one in named if team in (one.team_id, one.enterprise_id)), (*named, wire.Authorization())[0])
