"""A channel that stands still is an alarm at once, nothing is sent over it, and it ends when the provider says so."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from structlog.testing import capture_logs

from adapters.base import ChannelBlocked, CredentialsRefused, Health
from gateway.clock import FrozenClock
from gateway.directory import Directory, Mounted
from gateway.observe import Metrics
from gateway.standing import AGAIN_S, FIRST_S, Alarm, Standing
from normalizer.envelope import Body, Envelope, Failure, Message, Text, Unsupported
from normalizer.ids import ChannelId, EndpointId, EnvelopeId
from tests.gateway.test_directory import mounted

DESK, SHOP = ChannelId("desk"), ChannelId("shop")
REMOVED = Failure("credentials_refused", "the app was removed from the workspace")
WELL, ILL = Health(ok=True, detail="answers"), Health(ok=False, detail="credentials_refused: the token was revoked")
EVERY_S = 3_600


class Provider:
    """Says what it is told to say, and counts who was asked."""

    def __init__(self) -> None:
        self.health: dict[str | None, Health] = {}
        self.asked: list[str | None] = []
        self.meanwhile: Callable[[], None] = lambda: None

    async def ask(self, mounted: Mounted, account: str | None) -> Health:
        self.asked.append(account)
        self.meanwhile()
        return self.health.get(account, WELL)


class House:
    def __init__(self) -> None:
        self.clock, self.provider, self.metrics = FrozenClock(), Provider(), Metrics()
        directory = Directory([mounted("acme", ("desk", "T1"), ("shop", "T2"))])
        self.standing = Standing(directory, self.provider.ask, self.clock, self.metrics, EVERY_S)

    def tell(self, body: Body, channel: ChannelId = DESK) -> None:
        self.standing.noticed(
            Envelope(id=EnvelopeId("e"), direction="in", channel_type="x", endpoint_id=EndpointId("acme"),
                     occurred_at=self.clock.now(), body=body, channel_id=channel)
        )  # fmt: skip

    def removed(self) -> None:
        self.tell(Unsupported(what="app_uninstalled", failures=(REMOVED,), visible=False))

    async def after(self, seconds: float) -> list[str | None]:
        """Who is asked once so much time is over."""
        self.clock.advance(seconds)
        self.provider.asked.clear()
        await self.standing.look()
        return self.provider.asked

    @property
    def shown(self) -> set[str]:
        lines = self.metrics.render().decode().splitlines()
        return {line for line in lines if line.startswith(("throughline_channel_up", "throughline_notices_total"))}


@pytest.fixture
def house() -> House:
    return House()


def test_a_notice_of_the_provider_is_an_alarm_at_once(house: House) -> None:
    with capture_logs() as lines:
        house.removed()
    assert house.standing.alarm(DESK) == Alarm(
        code="credentials_refused", reason="app_uninstalled", text=REMOVED.text, since=house.clock.now()
    )
    assert house.shown == {
        'throughline_channel_up{channel="desk"} 0.0', 'throughline_channel_up{channel="shop"} 1.0',
        'throughline_notices_total{channel="desk",code="credentials_refused"} 1.0',
    }  # fmt: skip
    assert [line for line in lines if line["log_level"] == "error"] == [
        {"event": "channel stands still", "log_level": "error", "room": "standing", "channel_id": DESK,
         "code": "credentials_refused", "reason": "app_uninstalled"}
    ]  # fmt: skip


def test_what_is_sent_is_told_why_it_does_not_go(house: House) -> None:
    assert house.standing.refusal(DESK) is None
    house.removed()
    error = house.standing.refusal(DESK)
    assert isinstance(error, CredentialsRefused)
    assert (error.provider_code, error.certain, error.retryable) == ("app_uninstalled", True, False)
    locked = Failure("channel_blocked", "the account is locked")
    house.tell(Unsupported(what="account_update", failures=(locked,), visible=False), SHOP)
    assert isinstance(house.standing.refusal(SHOP), ChannelBlocked)


@pytest.mark.parametrize(
    "body",
    [
        Unsupported(what="app_home_opened", visible=False),
        Unsupported(what="a_form", failures=(REMOVED,)),
        Message(parts=(Text("the app was removed"),), failures=(REMOVED,)),
    ],
)
def test_what_customers_say_is_none(house: House, body: Body) -> None:
    house.tell(body)
    assert house.standing.alarm(DESK) is None
    assert not any("notices" in line for line in house.shown)


def test_another_trouble_of_the_account_is_counted_and_stops_nothing(house: House) -> None:
    with capture_logs() as lines:
        house.tell(Unsupported(what="app_rate_limited", failures=(Failure("throttled"),), visible=False))
    assert 'throughline_notices_total{channel="desk",code="throttled"} 1.0' in house.shown
    assert (house.standing.alarm(DESK), house.standing.refusal(DESK)) == (None, None)
    assert [(line["log_level"], line["code"]) for line in lines] == [("warning", "throttled")]


async def test_it_ends_when_the_provider_is_well_when_asked_which_is_not_at_once(house: House) -> None:
    await house.after(FIRST_S)
    house.provider.health["T1"] = ILL
    house.removed()
    assert await house.after(AGAIN_S - 1) == []
    assert await house.after(1) == ["T1"]
    assert house.standing.alarm(DESK) is not None
    house.provider.health["T1"] = WELL
    assert await house.after(AGAIN_S) == ["T1"]
    assert (house.standing.alarm(DESK), house.standing.refusal(DESK)) == (None, None)
    assert 'throughline_channel_up{channel="desk"} 1.0' in house.shown


async def test_everybody_is_asked_at_the_start_and_then_now_and_then(house: House) -> None:
    assert await house.after(FIRST_S - 1) == []
    assert await house.after(1) == ["T1", "T2"]
    assert await house.after(EVERY_S - 1) == []
    assert await house.after(1) == ["T1", "T2"]


async def test_what_comes_out_by_asking_is_an_alarm_and_withholds_nothing(house: House) -> None:
    """A permission may be missing that this message does not need."""
    house.provider.health["T2"] = ILL
    await house.after(FIRST_S)
    alarm = house.standing.alarm(SHOP)
    assert alarm is not None
    assert (alarm.code, alarm.reason, alarm.text) == ("not_well", "probe", ILL.detail)
    assert house.standing.refusal(SHOP) is None
    assert await house.after(AGAIN_S) == ["T2"]


async def test_who_refuses_a_send_is_asked_at_once(house: House) -> None:
    await house.after(FIRST_S)
    house.provider.health["T1"] = ILL
    house.standing.refused(DESK)
    assert await house.after(0) == ["T1"]
    house.standing.refused(DESK)
    assert await house.after(AGAIN_S - 1) == []


async def test_an_answer_from_before_the_notice_does_not_end_it(house: House) -> None:
    house.provider.meanwhile = house.removed
    await house.after(FIRST_S)
    assert house.standing.alarm(DESK) is not None


async def test_a_defect_of_one_channel_is_its_own(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    async def ask(mounted: Mounted, account: str | None) -> Health:
        if account == "T1":
            raise ValueError("words of a customer")
        return ILL

    monkeypatch.setattr(house.standing, "_ask", ask)
    await house.after(FIRST_S)
    alarms = [house.standing.alarm(channel) for channel in (DESK, SHOP)]
    assert [alarm and alarm.text for alarm in alarms] == ["asking failed: ValueError", ILL.detail]


def test_a_second_notice_keeps_the_time_of_the_first(house: House) -> None:
    house.removed()
    since = house.clock.now()
    house.clock.advance(5)
    house.tell(Unsupported(what="tokens_revoked", failures=(REMOVED,), visible=False))
    alarm = house.standing.alarm(DESK)
    assert alarm is not None
    assert (alarm.since, alarm.reason) == (since, "tokens_revoked")


def test_a_channel_that_is_not_configured_any_more_is_no_alarm(house: House) -> None:
    house.standing.refused(ChannelId("gone"))
    house.tell(Unsupported(what="app_uninstalled", failures=(REMOVED,), visible=False), ChannelId("gone"))
    assert house.standing.alarm(ChannelId("gone")) is None
