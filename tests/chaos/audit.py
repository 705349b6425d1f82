"""Compares what the provider saw with what the database holds after the last stop.

Rule: it reads the tables as they are and decodes envelopes, and uses no other code of the gateway's.
Rule: every finding names a promise that was broken, by ids alone.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import pairwise
from typing import Any

import msgspec
import sqlalchemy as sa
from msgspec import Struct

from gateway.store import schema
from gateway.store.schema import DONE, FINAL, PARKED, SENDING, SUPERSEDED
from normalizer import codec
from normalizer.envelope import RANK, Envelope, Message, Receipt, Status, Text
from tests.chaos.journal import Accepted, Journal, Visit, Visits
from tests.chaos.plan import NUMBERS, WEB, Plan

IN_TIME_S = 1.0
"""A receipt that was acknowledged so long before the next call of its send should have prevented that call."""

Row = Mapping[str, Any]


class Findings(Struct):
    """Figures, and ids of what is wrong under the name of what it breaks."""

    stored: int = 0
    answers: int = 0
    visited: int = 0
    """Messages of visitors that are stored."""
    parked: int = 0
    doubts: int = 0
    repeated: int = 0
    """Sends that went out twice because nothing told in time that the first had; as documented."""
    wrong: dict[str, list[str]] = {}

    def note(self, what: str, ids: Iterable[str]) -> None:
        found = list(ids)
        if found:
            self.wrong.setdefault(what, []).extend(found)

    def count(self, *whats: str) -> int:
        return sum(len(self.wrong.get(what, ())) for what in whats)


class Database:
    """All rows that matter, read once."""

    def __init__(self, url: str) -> None:
        engine = sa.create_engine(url, poolclass=sa.NullPool)
        with engine.connect() as connection:
            self.envelopes = _rows(connection, schema.envelope, "id", "conversation_id", "seq", "leg_id", "channel_id",
                                   "kind", "direction", "content")  # fmt: skip
            self.commands = _rows(connection, schema.command, "id", "kind", "leg_id", "channel_id", "envelope_id",
                                  "state", "doubts", "error")  # fmt: skip
            self.conversations = _rows(connection, schema.conversation)
            self.contact_of = {row["key"]: row["contact_id"] for row in _rows(connection, schema.address)}
            self.external = {(row["channel_id"], row["external_id"]): row for row in _rows(connection, schema.external)}
            self.parked = _rows(connection, schema.parked, "channel_id", "external_id")
            self.dead = _rows(connection, schema.dead, "id", "reason", "detail")
            self.intake = _rows(connection, schema.intake, "id", "state", "kind")
        self.decoded: dict[str, Envelope] = {row["id"]: codec.decode(row["content"]) for row in self.envelopes}
        self.by_envelope = {row["id"]: row for row in self.envelopes}

    def conversation_of(self, send: Row) -> str:
        return str(self.by_envelope[send["envelope_id"]]["conversation_id"])

    def with_people(self, failed: Collection[str]) -> set[str]:
        """Of these conversations those that the AI has given to people because an answer did not arrive."""
        return {row["id"] for row in self.conversations if row["id"] in failed and row["holder"] == "queue"
                and row["reason"].startswith("undelivered") and row["due_at"] is not None}  # fmt: skip


def _rows(connection: sa.Connection, table: sa.Table, *columns: str) -> list[Row]:
    wanted = [table.c[name] for name in columns or table.c.keys()]
    return [dict(row._mapping) for row in connection.execute(sa.select(*wanted))]


class Seen(Struct, frozen=True):
    """What the simulators wrote down."""

    journal: Journal
    visits: list[Visit]


def read(plan: Plan) -> Seen:
    journal = msgspec.json.decode(plan.journal.read_bytes(), type=Journal)
    return Seen(journal, msgspec.json.decode(plan.visits.read_bytes(), type=Visits).visits)


def audit(plan: Plan, seen: Seen) -> Findings:
    return Auditor(Database(plan.url), seen).run()


class Auditor:
    def __init__(self, database: Database, seen: Seen) -> None:
        self.db, self.journal, self.visits = database, seen.journal, seen.visits
        self.found = Findings(wrong={})
        # Of the provider's channels; visitors check theirs themselves.
        self.sends = {row["id"]: row for row in database.commands
                      if row["kind"] == "send" and row["channel_id"] in NUMBERS.values()}  # fmt: skip
        self.accepts: defaultdict[str, list[Accepted]] = defaultdict(list)
        for accepted in self.journal.accepted:
            self.accepts[accepted.key.partition(":")[0]].append(accepted)

    def run(self) -> Findings:
        self._provider()
        self._stored()
        self._receipts_stored()
        self._numbered()
        self._in_order()
        self._sends()
        self._effects()
        self._answered()
        self._statuses()
        self._answered_once()
        self._visited()
        self._at_rest()
        return self.found

    def _provider(self) -> None:
        """Trouble of ours is 503, never 4xx: a provider gives up on those."""
        bad = {status: count for status, count in self.journal.counts.refused.items() if status != 503}
        self.found.note(
            "refused although signed and sound", (f"{status}: {count} times" for status, count in bad.items())
        )
        if self.journal.unfinished:
            self.found.note("never acknowledged", [f"{self.journal.unfinished} updates"])

    # --- inbound --------------------------------------------------------------------------------------------------

    def _stored(self) -> None:
        """Each acknowledged message once, in its customer's conversation, as it was written."""
        of_contact = {row["contact_id"]: row["id"] for row in self.db.conversations}
        stored: defaultdict[str, list[Row]] = defaultdict(list)
        for row in self.db.envelopes:
            external = self.db.decoded[row["id"]].external_id
            if row["direction"] == "in" and row["kind"] == "message" and external is not None:
                stored[external].append(row)
        for one in self.journal.written:
            rows = stored.pop(one.id, [])
            if not rows and one.acked_at is not None:
                self.found.note("lost", [one.id])
                continue
            self.found.stored += bool(rows)
            self.found.note("stored twice", (row["id"] for row in rows[1:]))
            home = of_contact.get(self.db.contact_of.get(f"tel:+{one.customer}"))
            for row in rows[:1]:
                if row["conversation_id"] != home or home is None or row["channel_id"] != NUMBERS[one.number]:
                    self.found.note("in another conversation", [one.id])
                if self._text(row["id"]) != one.text:
                    self.found.note("changed", [one.id])
        self.found.note("never written", (id for id in stored if id.startswith("wamid.")))

    def _receipts_stored(self) -> None:
        wanted = {(one.target, one.status) for one in self.journal.told if one.acked_at is not None}
        bodies = (self.db.decoded[row["id"]].body for row in self.db.envelopes if row["kind"] == "receipt")
        stored = Counter((str(body.target), body.status.value) for body in bodies
                         if isinstance(body, Receipt) and str(body.target).startswith("wamid.out."))  # fmt: skip
        self.found.note(
            "receipt lost", (f"{target} {status}" for target, status in wanted if not stored[target, status])
        )
        self.found.note("receipt stored twice", (f"{key[0]} {key[1]}" for key, count in stored.items() if count > 1))

    def _text(self, id: str) -> str:
        body = self.db.decoded[id].body
        parts = body.parts if isinstance(body, Message) else ()
        return "".join(part.text for part in parts if isinstance(part, Text))

    def _placed(self) -> dict[str, list[Row]]:
        found: defaultdict[str, list[Row]] = defaultdict(list)
        for row in sorted((row for row in self.db.envelopes if row["seq"] is not None), key=lambda row: row["seq"]):
            found[row["conversation_id"]].append(row)
        return found

    def _numbered(self) -> None:
        """`seq` counts from 1 to the conversation's head, without holes and nothing twice."""
        placed = self._placed()
        for conversation in self.db.conversations:
            numbers = [row["seq"] for row in placed.get(conversation["id"], [])]
            if numbers != list(range(1, conversation["head"] + 1)):
                self.found.note("wrongly numbered", [conversation["id"]])

    def _in_order(self) -> None:
        counts = {one.id: (one.customer, one.count) for one in self.journal.written}
        for id, rows in self._placed().items():
            seen = [counts[key] for row in rows if (key := str(self.db.decoded[row["id"]].external_id)) in counts]
            if [count for _, count in seen] != sorted(count for _, count in seen):
                self.found.note("out of order", [id])
            if len({customer for customer, _ in seen}) > 1:
                self.found.note("two customers in one conversation", [id])

    # --- outbound -------------------------------------------------------------------------------------------------

    def _sends(self) -> None:
        out = [row for row in self.db.envelopes if row["direction"] == "out" and row["channel_id"] in NUMBERS.values()
               and row["kind"] == "message"]  # fmt: skip
        commands = Counter(row["envelope_id"] for row in self.sends.values())
        self.found.answers = len(out)
        self.found.note("without a send", (row["id"] for row in out if commands[row["id"]] == 0))
        self.found.note("sent by two commands", (id for id, count in commands.items() if count > 1))
        self.found.note("accepted but unknown here", (key for key in self.accepts if key not in self.sends))

    def _effects(self) -> None:
        """A send that is done went out once. What went out twice did so because nothing told in time of the first."""
        for id, row in self.sends.items():
            accepts = self.accepts.get(id, [])
            self.found.doubts += row["doubts"] > 0
            if row["state"] == PARKED:
                self._parked(row, accepts)
            elif row["state"] == DONE and not accepts:
                self.found.note("said to be sent, never accepted", [id])
            elif row["state"] == SUPERSEDED and self.db.conversation_of(row) in self._with_people():
                continue  # an answer before it was given up, so this one is people's
            elif FINAL <= row["state"] != DONE:
                self.found.note("given up", [f"{id} state {row['state']}: {row['error']}"])
            self._twice(row, accepts)
        self._sent_in_order()

    def _with_people(self) -> set[str]:
        """Those that the AI has given to people since nobody knows what became of an answer: after two doubts."""
        return self.db.with_people({self.db.conversation_of(row) for row in self.sends.values() if row["doubts"] > 0})

    def _parked(self, row: Row, accepts: list[Accepted]) -> None:
        """For a person to decide: only after two doubts, and not when a receipt has told that it is out."""
        self.found.parked += 1
        if row["doubts"] < 1:
            self.found.note("parked at the first doubt", [row["id"]])
        if len(accepts) == 1 and self._told(accepts[0].id, before=None):
            self.found.note("parked although a receipt told", [row["id"]])

    def _twice(self, row: Row, accepts: list[Accepted]) -> None:
        for first, second in pairwise(accepts):
            if row["doubts"] < 1 or self._told(first.id, before=second.at - IN_TIME_S):
                self.found.note("doubled", [row["id"]])
            else:
                self.found.repeated += 1
        if len(accepts) > 2:
            self.found.note("sent more than twice", [row["id"]])

    def _told(self, target: str, before: float | None) -> bool:
        return any(at < before if before is not None else True for at in self._acks().get(target, ()))

    def _acks(self) -> dict[str, list[float]]:
        if not hasattr(self, "_acked"):
            self._acked: defaultdict[str, list[float]] = defaultdict(list)
            for one in self.journal.told:
                if one.acked_at is not None:
                    self._acked[one.target].append(one.acked_at)
        return self._acked

    def _sent_in_order(self) -> None:
        """The first times that the answers of a leg were accepted follow their numbers."""
        legs: defaultdict[str, list[tuple[int, float, str]]] = defaultdict(list)
        for id, row in self.sends.items():
            envelope = self.db.by_envelope.get(row["envelope_id"])
            if envelope is not None and (accepts := self.accepts.get(id)):
                legs[row["leg_id"]].append((envelope["seq"], accepts[0].at, id))
        for sends in legs.values():
            sends.sort()
            late = (id for (_, at, _), (_, then, id) in pairwise(sends) if then < at)
            self.found.note("sent out of order", late)

    def _answered(self) -> None:
        """Every customer's last message: by an accepted answer that repeats it, unless a person decides about it."""
        last: dict[str, str] = {one.customer: one.text for one in self.journal.written}
        said: defaultdict[str, set[str]] = defaultdict(set)
        for accepted in self.journal.accepted:
            said[accepted.customer].add(accepted.text)
        with_people = self._with_people()
        theirs = {self._text(row["id"]) for row in self.db.envelopes if row["conversation_id"] in with_people}
        self.found.note("not answered", (who for who, text in last.items() if text not in said[who] | theirs))
        texts = {one.text for one in self.journal.written}
        self.found.note("answers nothing", (one.id for one in self.journal.accepted if one.text not in texts))

    def _statuses(self) -> None:
        """As high as the highest that was acknowledged, whatever came after it, and on the message that it is about."""
        highest: defaultdict[str, int] = defaultdict(int)
        for one in self.journal.told:
            if one.acked_at is not None:
                highest[one.target] = max(highest[one.target], RANK[Status(one.status)])
        sends = {accepted.id: accepted for accepted in self.journal.accepted}
        for target, rank in highest.items():
            row = self.db.external.get((NUMBERS[sends[target].number], target))
            command = self.sends.get(sends[target].key.partition(":")[0])
            if row is None or row["rank"] != rank:
                self.found.note("status went backwards", [target])
            elif command is None or row["envelope_id"] != command["envelope_id"]:
                self.found.note("status of no message", [target])
        self.found.note("still parked", (row["external_id"] for row in self.db.parked))

    def _answered_once(self) -> None:
        """Every text is written once, and the engine repeats it: two equal answers are one question, asked twice."""
        said = Counter((row["conversation_id"], self._text(row["id"])) for row in self.db.envelopes
                       if row["direction"] == "out" and row["kind"] == "message")  # fmt: skip
        self.found.note("answered twice", (f"{id}" for (id, _), count in said.items() if count > 1))

    # --- visitors -------------------------------------------------------------------------------------------------

    def _visited(self) -> None:
        stored: defaultdict[str, list[Row]] = defaultdict(list)
        for row in self.db.envelopes:
            if row["channel_id"] == WEB and row["direction"] == "in" and row["kind"] == "message":
                stored[self._text(row["id"])].append(row)
        for visit in self.visits:
            self.found.note("seen by a visitor", (f"{visit.name}: {what}" for what in visit.violations))
            self.found.note("refused a visitor", visit.refused)
            self.found.note("lost", (text for text in visit.acked if text not in stored))
            self.found.note("stored twice", (text for text in visit.texts if len(stored[text]) > 1))
            rows = [stored[text][0] for text in visit.texts if stored[text]]
            if [row["seq"] for row in rows] != sorted(row["seq"] for row in rows):
                self.found.note("out of order", [visit.name])
            if len({row["conversation_id"] for row in rows}) > 1:
                self.found.note("in another conversation", [visit.name])
            if visit.acked and visit.acked[-1] not in visit.answers:
                self.found.note("not answered", [visit.name])
            self.found.visited += len(rows)

    # --- the rest -------------------------------------------------------------------------------------------------

    def _at_rest(self) -> None:
        open_ = [row for row in self.db.commands if row["state"] < FINAL]
        self.found.note("stuck in sending", (row["id"] for row in open_ if row["state"] == SENDING))
        self.found.note("not finished", (f"{row['kind']} {row['id']}" for row in open_ if row["state"] != SENDING))
        self.found.note("not processed", (str(row["id"]) for row in self.db.intake if row["state"] == schema.WAITING))
        self.found.note("dead", (f"{row['reason']} {row['detail']}" for row in self.db.dead))
        self.found.note("holder", self._unrest())

    def _untold(self) -> set[str]:
        """Conversations in which nobody knows what became of an answer, unless a newer turn was answered."""
        answered = {row["id"]: row["answered"] for row in self.db.conversations}
        parked = (self.db.by_envelope[row["envelope_id"]] for row in self.sends.values() if row["state"] == PARKED)
        return {row["conversation_id"] for row in parked if answered[row["conversation_id"]] <= (row["seq"] or 0)}

    def _unrest(self) -> Iterator[str]:
        """With an engine that always answers, the AI holds everything, and nothing waits but for people."""
        with_people = self._with_people()
        yield from (f"{id} parked, and nobody was told" for id in self._untold() - with_people)
        for row in self.db.conversations:
            if row["id"] in with_people:
                continue
            if (row["holder"], row["epoch"]) != ("ai", 1):
                yield f"{row['id']} held by {row['holder']}, epoch {row['epoch']}"
            elif row["asked"] is not None or row["due_at"] is not None or row["answered"] < row["last_in"]:
                yield f"{row['id']} waits: asked {row['asked']}, answered {row['answered']} of {row['last_in']}"
