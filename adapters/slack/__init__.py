"""Slack: direct messages, channels and shared channels (Slack Connect) with customers.

Setting it up: docs/adapters/slack.md. Their format: wire.py. In: parse.py, events.py, actions.py. Out: send.py.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct

from adapters._http import url_problem
from adapters.base import (
    CallContext,
    Capabilities,
    ChannelSpec,
    Fetched,
    Flow,
    Grant,
    Health,
    Outcome,
    Pulled,
    PullSource,
    Rates,
    RawInbound,
    Registration,
    Reply,
    Secret,
    SendContext,
    Sent,
    SocketModeSource,
    Source,
    Unauthentic,
)
from adapters.slack import history
from adapters.slack.api import APP_TOKEN, Api, probe
from adapters.slack.blocks import TEXT_MAX
from adapters.slack.delivery import Answers, House
from adapters.slack.files import fetch
from adapters.slack.find import find
from adapters.slack.parse import answer_of, parse
from adapters.slack.send import send
from adapters.slack.signing import Signatures, challenge, ssl_check
from normalizer.envelope import Envelope, MediaRef
from normalizer.ids import ChannelId, EndpointId, ExternalId

API_URL = "https://slack.com/api"
CAPABILITIES = Capabilities(
    answers="stored",
    echo=True,
    text_limit=TEXT_MAX,
    sends=frozenset(
        {
            "text", "image", "audio", "voice", "video", "document", "sticker", "location", "contact_card",
            "choices_offered",
        }
    ),
    rates=Rates(per_second=5, pair_per_second=1),
    content_types=frozenset({"application/json", "application/x-www-form-urlencoded"}),
)  # fmt: skip


class Config(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    team_id: Annotated[str | None, Meta(description="ID of the workspace (`T...`) that the app is installed in.")] = (
        None
    )
    bot_token: Annotated[Secret | None, Meta(description="The app's bot token (`xoxb-...`).")] = None
    signing_secret: Annotated[Secret | None, Meta(description="Signing secret of the app; the short form for one.")] = (
        None
    )
    signing_secrets: Annotated[
        tuple[Secret, ...], Meta(description="Signing secrets of the app; several while one is being replaced.")
    ] = ()
    app_token: Annotated[
        Secret | None, Meta(description="App-level token (`xapp-...`); events then come over Socket Mode.")
    ] = None
    refresh_token: Annotated[
        Secret | None, Meta(description="In place of `bot_token`, for an app whose tokens rotate (`xoxe-1-...`).")
    ] = None
    client_id: Annotated[str | None, Meta(description="Client ID of the app, for `refresh_token`.")] = None
    client_secret: Annotated[Secret | None, Meta(description="Client secret of the app, for `refresh_token`.")] = None
    bot_user_id: Annotated[
        str | None, Meta(description="ID of the app's own user (`U...`), for what does not tell it.")
    ] = None
    answer: Annotated[
        Answers,
        Meta(
            description="What is answered in channels: `mentions` of the app, these and all replies in `threads`, or"
            " `all`. The rest is stored and never answered."
        ),
    ] = "mentions"
    colleagues: Annotated[
        bool, Meta(description="Whether people of our own workspace are colleagues, whose talk in channels is no turn.")
    ] = False
    history_channels: Annotated[
        tuple[str, ...], Meta(description="IDs of the conversations that are read again after an outage.")
    ] = ()
    history_every_s: Annotated[float, Meta(description="How often these are read, in seconds.", ge=60)] = 300.0
    history_threads_h: Annotated[
        float, Meta(description="How old a thread may be whose missed replies are looked for, in hours.", ge=0, le=720)
    ] = 24.0
    api_url: Annotated[str, Meta(description="Address of the Web API.")] = API_URL

    def channels(self, endpoint_id: EndpointId) -> tuple[ChannelSpec, ...]:
        return (ChannelSpec(ChannelId(endpoint_id), self.team_id),)

    def credentials(self) -> Mapping[str, str | Grant]:
        tokens: dict[str, str | Grant | None] = {"bot_token": self._grant() or self.bot_token}
        return {name: token for name, token in (tokens | {"app_token": self.app_token}).items() if token}

    def _grant(self) -> Grant | None:
        """See https://docs.slack.dev/authentication/using-token-rotation"""
        if not (self.refresh_token and self.client_id and self.client_secret):
            return None
        return Grant(token_url=Api(self.api_url).url("oauth.v2.access"), client_id=self.client_id,
                     client_secret=self.client_secret, refresh_token=self.refresh_token)  # fmt: skip

    @property
    def secrets(self) -> tuple[str, ...]:
        """All that an event may be signed with."""
        return (*filter(None, (self.signing_secret,)), *self.signing_secrets)

    def problems(self) -> Sequence[str]:
        found = [] if self.team_id else ["team_id is missing"]
        if not self.secrets and not self.app_token:
            found.append("signing_secret is missing (or app_token, for Socket Mode)")
        if self.team_id and not self.team_id.isalnum():
            found.append("team_id must be like T024BE7LD")
        found += [f"history_channels: {id!r} is no ID of a conversation" for id in self.history_channels
                  if not id.startswith(("C", "G", "D")) or not id.isalnum()]  # fmt: skip
        if len(set(self.history_channels)) < len(self.history_channels):
            found.append("history_channels names a conversation twice")
        return [*found, *_token_problems(self), *url_problem("api_url", self.api_url, like=API_URL)]


def _token_problems(config: Config) -> Sequence[str]:
    """They are easily taken for each other; their beginnings are no secret."""
    rotating = {"refresh_token": config.refresh_token, "client_id": config.client_id,
                "client_secret": config.client_secret}  # fmt: skip
    found = [f"{key} is missing, as the bot's token rotates" for key, told in rotating.items()
             if not told and any(rotating.values())]  # fmt: skip
    if not config.bot_token and not any(rotating.values()):
        found.append("bot_token is missing")
    if config.bot_token and config.refresh_token:
        found.append("bot_token and refresh_token: only one of them, as a token that rotates is soon another")
    if config.bot_token and config.bot_token.startswith(("xapp-", "xoxp-")):
        found.append("bot_token must be the one that begins with xoxb-")
    if config.app_token and config.app_token.startswith(("xoxb-", "xoxp-")):
        found.append("app_token must be the one that begins with xapp-")
    return found


class Slack:
    capabilities = CAPABILITIES

    def __init__(self, config: Config) -> None:
        self._config = config
        self._api = Api(config.api_url)
        self._house = House(config.team_id or "", config.bot_user_id, config.answer, config.colleagues)
        self._signatures = Signatures(config.secrets)

    @property
    def sources(self) -> tuple[Source, ...]:
        config = self._config
        url = self._api.url("apps.connections.open")
        sockets = (SocketModeSource(name="socket", open_url=url, auth=APP_TOKEN),) if config.app_token else ()
        names = (history.NAME + channel for channel in config.history_channels)
        return (*sockets, *(PullSource(name=name, every_s=config.history_every_s) for name in names))

    def verify(self, raw: RawInbound) -> Reply | None:
        if raw.method not in ("GET", "POST"):
            raise Unauthentic("only GET and POST")
        if reply := ssl_check(raw):
            return reply
        if raw.method == "GET":
            raise Unauthentic("nothing but ssl_check is asked for by GET")
        self._signatures.check(raw)
        return challenge(raw)

    def respond(self, raw: RawInbound, outcome: Outcome | None) -> Reply:
        return answer_of(raw)

    def parse(self, raw: RawInbound) -> Sequence[Envelope]:
        return parse(raw, self._house)

    def send(self, message: Envelope, ctx: SendContext) -> Flow[Sent]:
        return (yield from send(self._api, message, ctx, self._config.bot_user_id))

    def find(self, message: Envelope, ctx: SendContext, since: datetime) -> Flow[Sequence[ExternalId]]:
        return (yield from find(self._api, message, ctx, since, self._config.bot_user_id))

    def fetch(self, media: MediaRef, ctx: CallContext) -> Flow[Fetched]:
        return (yield from fetch(self._api, media))

    def pull(self, name: str, cursor: str | None, ctx: CallContext) -> Flow[Pulled]:
        look_back_s = self._config.history_threads_h * 3600
        return (yield from history.pull(self._api, self._house.team, look_back_s, name, cursor, ctx))

    def probe(self, ctx: CallContext) -> Flow[Health]:
        return (yield from probe(self._api, self._house.team))


def _build(endpoint_id: EndpointId, config: Config) -> Slack:
    return Slack(config)


REGISTRATION = Registration(type="slack", config=Config, build=_build)
