"""A gateway without its surfaces: the rooms over a real store; provider and engine do as the test says."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import sqlalchemy as sa
from msgspec.structs import replace

from adapters import REGISTRY
from adapters.base import Outcome, Rates, RawInbound
from adapters.whatsapp import Config as WhatsAppConfig
from adapters.whatsapp import Number
from gateway.clock import CountingIds, FrozenClock
from gateway.credentials import Credentials, CredentialSettings
from gateway.directory import Directory, Mounted
from gateway.perform import Performed, Performer, PerformSettings
from gateway.perform.ask import Asker, AskSettings, Breaker
from gateway.perform.calls import Calls
from gateway.process import Processor, ProcessSettings
from gateway.process.prepare import Preparer
from gateway.process.settle import Done, Rules
from gateway.receive import Receiver
from gateway.store import intake, outbox, reads, schema
from gateway.store.reads import Shown
from gateway.store.statement import SQLITE
from gateway.store.store import Store
from gateway.transport import RateLimiter, RateSettings, Transport
from gateway.wake import Wake
from normalizer import codec
from normalizer.envelope import Message, Part, Text, plain_text
from normalizer.ids import AgentId, ConversationId, EndpointId
from router.conversation import Agent, Conversation, Holder
from router.events import AgentReplied, EngineChanged, HolderRequested
from router.policy import Policy
from tests.gateway.provider import HangUp
from tests.rooms import desk, line
from tests.rooms.engine import ScriptedEngine
from tests.rooms.graph import Graph

ENDPOINT = EndpointId("wa")
ACCOUNT, SECOND = "106540352242922", "106540352242923"
ENGINE = "scripted"
LEASE_S = 30
KEY = b"k" * 32
POLICY = Policy(mark_read=False, handoff_text="a colleague answers", engine_down_text="the robot is ill")


class CommandRow(NamedTuple):
    id: str
    kind: str
    state: int
    due_at: int
    attempts: int
    step: int
    doubts: int
    error: str | None


class World:
    def __init__(self, store: Store, clock: FrozenClock, graph: Graph, transport: Transport,
                 policy: Policy = POLICY) -> None:  # fmt: skip
        self.store, self.clock, self.graph, self.transport = store, clock, graph, transport
        self.policy = policy
        self.ids = CountingIds()
        self.engine = ScriptedEngine()
        self.desk = desk.Desk()
        self.line = line.Line()
        self.directory = Directory([self._whatsapp(), desk.mounted(self.desk), line.mounted(self.line)])
        self.rates = Rates()
        self.ask_settings = AskSettings()
        self.perform_settings = PerformSettings()
        self.process_settings = ProcessSettings(batch_alone=64)
        self.processed: list[Done] = []
        self.performed: list[Performed] = []
        self.changes: list[tuple[bool, str]] = []
        self._lives = self._deadlocks = 0
        self._deadlocks = 0 if store.database is SQLITE else self.deadlocks()
        self.boot()

    def _whatsapp(self) -> Mounted:
        config = WhatsAppConfig(
            numbers=(Number("wa", ACCOUNT), Number("wa2", SECOND)),
            access_token="token",
            app_secrets=("secret",),
            verify_token="verify",
            graph_url=self.graph.url("/v24.0"),
        )
        return Mounted(id=ENDPOINT, type="whatsapp", adapter=REGISTRY["whatsapp"].build(ENDPOINT, config),
                       channels=config.channels(ENDPOINT), credentials=config.credentials())  # fmt: skip

    # --- lives --------------------------------------------------------------------------------------------------------

    def boot(self) -> None:
        """New rooms with nothing in their heads, as after a start."""
        self._lives += 1
        owner = f"node-{self._lives}"
        self.wake = Wake()
        self.receiver = Receiver(self.store, self.ids, self.wake)
        self.processor = self.another_processor(owner)
        self.performer = self.another_performer(owner)

    def another_processor(self, owner: str) -> Processor:
        rules = Rules(directory=self.directory, policy=self.policy, engine=ENGINE, new_id=self.ids.new,
                      new_number=self.ids.intake)  # fmt: skip
        preparer = Preparer(self.directory, KEY)
        return Processor(self.store, preparer, rules, self.wake, self.process_settings, owner, self.processed.append)

    def another_performer(self, owner: str) -> Performer:
        credentials = Credentials(self.store, self.transport, self.clock, self.ids, "k" * 43, CredentialSettings())
        calls = Calls(directory=self.directory, credentials=credentials, wake=self.wake,
                      links=lambda media: f"https://gateway.example/{media.stored}",
                      hooks="https://gateway.example/hooks/", limit_ms=20_000)  # fmt: skip
        self.breaker = Breaker(self.ask_settings, self.clock, lambda up, reason: self.changes.append((up, reason)))
        asker = Asker(self.store, self.engine, self.breaker, self.ask_settings)
        limiter = RateLimiter(lambda channel: self.rates, RateSettings())
        return Performer(self.store, calls, asker, limiter, self.clock, self.ids, self.wake, self.perform_settings,
                         owner, self.performed.append)  # fmt: skip

    async def crash(self) -> None:
        """Everything that was under way ends where it stands; then a new life begins."""
        await asyncio.sleep(0)  # a task that never began would leave its coroutine behind
        tasks = set(self.performer._tasks)
        flushing = self.performer._batcher._flushing
        tasks |= {flushing} if flushing is not None else set()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.start_anew()

    async def start_anew(self) -> None:
        """As `House.prepare` does: one process voids all claims, several wait until leases lapse."""
        self.boot()
        if self.store.database is SQLITE:
            await self.store.write(intake.void_claims)
            await self.store.write(outbox.void_claims)
        else:
            self.clock.advance(LEASE_S + 1)

    # --- what happens -------------------------------------------------------------------------------------------------

    async def post(self, *updates: Mapping[str, Any], account: str = ACCOUNT, parse: bool = True) -> None:
        """A webhook with these updates, received and (`parse`) processed."""
        await self.receiver.receive(self.raw(delivery(*updates, account=account)))
        if parse:
            await self.processor.drain()

    def raw_of(self, *updates: Mapping[str, Any]) -> RawInbound:
        return self.raw(delivery(*updates))

    def raw(self, body: bytes) -> RawInbound:
        return RawInbound(id=self.ids.uuid(), endpoint_id=ENDPOINT, origin="webhook", received_at=self.clock.now(),
                          body=body)  # fmt: skip

    async def frame(self, session: str, outcome_ms: int | None = None, *, endpoint: EndpointId = desk.ENDPOINT,
                    **frame: Any) -> Outcome | None:  # fmt: skip
        """A frame on a live channel."""
        raw = self.frame_of(session, endpoint, **frame)
        outcome = asyncio.create_task(self.receiver.receive(raw, outcome_ms=outcome_ms or 20_000))
        while not outcome.done():
            await self.processor.drain()
            await asyncio.sleep(0)
        return outcome.result()

    def frame_of(self, session: str, endpoint: EndpointId = desk.ENDPOINT, **frame: Any) -> RawInbound:
        return RawInbound(id=self.ids.uuid(), endpoint_id=endpoint, origin="live", session=session,
                          received_at=self.clock.now(), body=json.dumps(frame).encode())  # fmt: skip

    async def run(self) -> None:
        """Until nothing is due in any room."""
        while True:
            count = len(self.processed), len(self.performed), len(self.changes)
            await self.performer.drain()
            await self._tell_changes()
            await self.processor.drain()
            if count == (len(self.processed), len(self.performed), len(self.changes)):
                return

    async def answer_ai(self) -> None:
        """The engine answers and room 2 decides; the answer itself is not sent yet."""
        held = await self.store.write(lambda tx: outbox.claim(tx, "asker", ["ask_ai"], lease_ms=30_000, most=64))
        await self.performer._start(held)
        await self.performer._finish()
        await self.processor.drain()

    async def send_in_doubt(self) -> str:
        """A message was answered, and the call that carried the answer broke off. The command's id."""
        self.graph.then(HangUp())
        await self.post(text("in.1"))
        await self.run()
        (command,) = self.commands("send")
        assert command.state == schema.DOUBT
        return command.id

    async def _tell_changes(self) -> None:
        """What the composition root does with the breaker's word."""
        while self.changes:
            up, reason = self.changes.pop(0)
            fact = EngineChanged(engine=ENGINE, up=up, reason=reason, key=self.ids.uuid())
            await self.receiver.enter(fact, "engine")

    async def take_over(self, holder: Holder | None = None, conversation: Conversation | None = None) -> None:
        one = conversation or await self.conversation()
        fact = HolderRequested(conversation_id=one.id, holder=holder or Agent(AgentId("ann")), expected_epoch=one.epoch,
                               by="ann", key=self.ids.uuid())  # fmt: skip
        await self.receiver.enter(fact, one.id)
        await self.processor.drain()

    async def reply(self, text: str, *parts: Part, key: str | None = None, **facts: Any) -> None:
        """An agent writes."""
        one = await self.conversation()
        said = parts or (Text(text),)
        fact = AgentReplied(conversation_id=one.id, agent_id=AgentId("ann"), parts=said, key=key or self.ids.uuid(),
                            **facts)  # fmt: skip
        await self.receiver.enter(fact, one.id)
        await self.processor.drain()

    # --- what there is ------------------------------------------------------------------------------------------------

    def table(self, name: str, *columns: str) -> list[tuple[Any, ...]]:
        """Columns of every row, in the order of the primary key."""
        table: sa.Table = getattr(schema, name)
        query = sa.select(*(table.c[column] for column in columns)).order_by(*table.primary_key.columns)
        with self.store.engine.connect() as connection:
            connection.execution_options(deferred=True)
            return [tuple(row) for row in connection.execute(query)]

    def deadlocks(self) -> int:
        """How many PostgreSQL had to resolve in this database; each costs somebody a second."""
        with self.store.engine.connect() as connection:
            connection.exec_driver_sql("SELECT pg_stat_force_next_flush()")
            query = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
            return int(connection.exec_driver_sql(query).scalar_one()) - self._deadlocks

    def commands(self, kind: str | None = None) -> list[CommandRow]:
        rows = [CommandRow(*row) for row in self.table("command", *CommandRow._fields)]
        return [row for row in rows if kind in (None, row.kind)]

    def states(self, kind: str = "send") -> list[int]:
        return [row.state for row in self.commands(kind)]

    def dead(self) -> list[tuple[int, str]]:
        return [(row[0], row[1]) for row in self.table("dead", "idx", "reason")]

    async def conversations(self) -> list[Conversation]:
        ids = [ConversationId(row[0]) for row in self.table("conversation", "id")]
        found = [await self.store.read(partial(reads.get_conversation, conversation_id=id)) for id in ids]
        return [one for one in found if one is not None]

    async def conversation(self) -> Conversation:
        """The only one."""
        (one,) = await self.conversations()
        return one

    async def shown(self, conversation: Conversation | None = None) -> list[Shown]:
        one = conversation or await self.conversation()
        return await self.store.read(lambda tx: reads.page(tx, one.id, 0, 10_000))

    async def talk(self, conversation: Conversation | None = None) -> list[str]:
        """Who said what, in the order of the conversation."""
        envelopes = [codec.decode(shown.row.content) for shown in await self.shown(conversation)]
        return [f"{one.author}: {plain_text(one.body)}" for one in envelopes if isinstance(one.body, Message)]

    async def seqs(self, conversation: Conversation | None = None) -> list[int | None]:
        return [shown.row.seq for shown in await self.shown(conversation)]

    async def statuses(self) -> list[str | None]:
        """Of what we sent."""
        return [one.status and one.status.value for one in await self.shown() if one.row.direction == "out"
                and one.row.kind == "message"]  # fmt: skip

    def with_policy(self, **changes: Any) -> None:
        self.policy = replace(self.policy, **changes)
        self.processor = self.another_processor(f"node-{self._lives}")


# --- what the provider sends ------------------------------------------------------------------------------------------


def delivery(*updates: Mapping[str, Any], account: str = ACCOUNT) -> bytes:
    """One POST; each update stands in a change of its own, so that their order is theirs."""
    metadata = {"display_phone_number": "15550783881", "phone_number_id": account}
    changes = [
        {"field": "messages", "value": {"messaging_product": "whatsapp", "metadata": metadata, _list_of(one): [one]}}
        for one in updates
    ]
    return json.dumps(
        {"object": "whatsapp_business_account", "entry": [{"id": "102290129340398", "changes": changes}]}
    ).encode()


def _list_of(update: Mapping[str, Any]) -> str:
    return "statuses" if "status" in update else "messages"


def text(id: str, body: str = "hello", sender: str = "16505551234") -> dict[str, Any]:
    return {"from": sender, "id": id, "timestamp": "1749416383", "type": "text", "text": {"body": body}}


def texts(*ids: str, sender: str = "16505551234") -> Sequence[dict[str, Any]]:
    """Messages that say their own ids."""
    return [text(id, id, sender) for id in ids]


def status(id: str, what: str, echo: str | None = None, recipient: str = "16505551234") -> dict[str, Any]:
    found: dict[str, Any] = {"id": id, "status": what, "timestamp": "1749416390", "recipient_id": recipient}
    if echo is not None:
        found["biz_opaque_callback_data"] = echo
    if what == "failed":
        found["errors"] = [{"code": 131026, "title": "undeliverable"}]
    return found


def reaction(id: str, target: str, emoji: str = "👍", sender: str = "16505551234") -> dict[str, Any]:
    return {"from": sender, "id": id, "timestamp": "1749416391", "type": "reaction",
            "reaction": {"message_id": target, "emoji": emoji}}  # fmt: skip
