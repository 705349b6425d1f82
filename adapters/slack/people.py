"""Where something was said and by whom: ids of teams, users and conversations as addresses of ours.

Rule: a person is `slack:<own team>/<user>`, whoever's channel he writes in. A channel is `slack:<team of the
installation>/<channel>`: with Slack Connect several teams see it, each with the app of its own.
Rule: names are shown and identify nobody.
"""

import re
from datetime import UTC, datetime, timedelta

from adapters.slack import wire
from normalizer.address import Address, Scheme
from normalizer.envelope import AddressClaim, Evidence, Party
from normalizer.ids import ExternalId

SLACKBOT = "USLACKBOT"
_TS = re.compile(r"([0-9]{9,10})\.([0-9]{1,6})")
_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")


def address(team: str | None, id: str | None) -> Address | None:
    """None for what can be no id."""
    if not id or not _ID.fullmatch(id) or (team is not None and not _ID.fullmatch(team)):
        return None
    return Address(Scheme.SLACK, f"{team or '-'}/{id}")


def party(team: str | None, user: str | None, name: str | None = None, username: str | None = None) -> Party:
    found = address(team, user)
    claims = (AddressClaim(found, Evidence.CHANNEL),) if found else ()
    return Party(claims=claims, name=name or None, username=username or None)


def writer(event: wire.Event, *teams: str | None) -> Party:
    """`teams`: of the writer where the event does not tell, the likeliest first."""
    profile = wire.read_profile(event.user_profile)[0] or wire.Profile()
    bot = wire.read_bot_profile(event.bot_profile)[0] or wire.BotProfile()
    name = profile.display_name or profile.real_name or bot.name or event.username
    return party(team_of(event, *teams), event.user or event.bot_id, name, profile.name)


def team_of(event: wire.Event, *teams: str | None) -> str | None:
    profile = wire.read_profile(event.user_profile)[0] or wire.Profile()
    given = (event.user_team, event.source_team, event.team, profile.team, *teams)
    return next(filter(None, given), None)


def is_direct(channel: str, channel_type: str | None = None) -> bool:
    """Between one person and us."""
    return channel_type in ("im", "app_home") or (channel_type is None and channel.startswith("D"))


def message_id(channel: str | None, ts: str | None) -> ExternalId | None:
    """A `ts` names a message within its channel only. It is text: as a number it would lose its last digits."""
    if not channel or not ts or not _ID.fullmatch(channel) or not _ID.fullmatch(ts) or ":" in channel:
        return None
    return ExternalId(f"{channel}:{ts}")


def place_of(id: str) -> tuple[str, str] | None:
    """The reverse: channel and ts."""
    channel, found, ts = id.partition(":")
    return (channel, ts) if found and channel and _TS.fullmatch(ts) else None


def order(ts: str) -> tuple[int, int]:
    """For comparing; anything that is no ts comes first."""
    found = _TS.fullmatch(ts)
    return (int(found[1]), int(found[2].ljust(6, "0"))) if found else (0, 0)


def instant(ts: str | None, fallback: datetime) -> datetime:
    seconds, micros = order(ts or "")
    return datetime.fromtimestamp(seconds, UTC) + timedelta(microseconds=micros) if seconds else fallback
