"""Compares what the outside of a channel saw with what the database holds.

Rule: it believes the record and the tables; of the gateway's code it uses the tables' names and the decoder of
envelopes alone.
Rule: every finding names a promise that was broken, by texts and ids of the run's own.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import pairwise

from gateway.store import schema
from gateway.store.schema import DONE, DOUBT, FAILED, FINAL, PARKED, SENDING, SUPERSEDED
from normalizer.envelope import RANK, Status
from normalizer.transcript import transcript
from tests.chaos import audit as whole
from tests.chaos.audit import IN_TIME_S, Database, Row
from tests.chaos.channels.line import Heard, Record, Said

RIGHT_BEFORE_S = 0.5
"""A kill takes its time on a busy machine, and so does hearing."""


class Findings(whole.Findings):
    """`stored`, `answers`, `parked`, `doubts` and `repeated` are figures of this channel."""

    together: int = 0
    """Messages that were answered with the one after them."""
    missing: int = 0
    """Messages that the gateway never took and that nobody keeps."""
    forgotten: int = 0
    """Answers that were heard right before a kill and are not recorded: the caller spoke on before they were due again.
    What is heard is kept beside the talk, so it may be some milliseconds ahead of the record.
    """


def audit(url: str, record: Record, *, patient: bool = True) -> Findings:
    return Auditor(Database(url), record, patient=patient).run()


class Auditor:
    """`patient` False: a send in doubt may be so still, and what its leg sends behind it waits for it."""

    def __init__(self, database: Database, record: Record, *, patient: bool = True) -> None:
        self.db, self.record = database, record
        doubts = (row["leg_id"] for row in database.commands if row["state"] == DOUBT and not patient)
        self.in_doubt = frozenset(doubts)
        """Legs."""
        self.found = Findings(wrong={})
        self.text_of = {id: _text(database, id) for id in database.decoded}
        self.stored: defaultdict[str, list[Row]] = defaultdict(list)
        self.answers: defaultdict[str, list[Row]] = defaultdict(list)
        self.heard: defaultdict[str, list[Heard]] = defaultdict(list)
        for row in database.envelopes:
            if row["kind"] == "message" and not database.decoded[row["id"]].observed:
                place = self.stored if row["direction"] == "in" else self.answers
                place[self.text_of[row["id"]]].append(row)
        for one in record.heard:
            self.heard[one.text].append(one)
        self.failed = {row["envelope_id"] for row in self._failed()}
        """Answers that were refused, or given up in doubt, or of which a receipt said so."""
        failed = {database.by_envelope[id]["conversation_id"] for id in self.failed}
        self.with_people = database.with_people(failed)
        """Conversations with such an answer: people answer what comes after it."""
        self.followed = self._followed()

    def _failed(self) -> list[Row]:
        sends = (row for row in self.db.commands if row["kind"] == "send" and row["state"] in (FAILED, PARKED))
        told = (row for row in self.db.external.values() if row["rank"] == RANK[Status.FAILED])
        return [row for row in (*sends, *told) if row["envelope_id"] in self.db.by_envelope]

    def run(self) -> Findings:
        self.found.note("seen outside", self.record.wrong)
        self._stored()
        self._noted()
        self._in_order()
        self._numbered()
        self._answered()
        self._heard()
        self._ranks()
        self._sends()
        self._at_rest()
        return self.found

    # --- inbound ------------------------------------------------------------------------------------------------------

    def _stored(self) -> None:
        """Everything once; what the gateway took, and what the provider keeps, at least once."""
        for said in self.record.said:
            rows = self.stored[said.text]
            self.found.stored += bool(rows)
            self.found.note("stored twice", (said.text for _ in rows[1:]))
            if not rows and (said.acked_at is not None or said.kept):
                self.found.note("lost", [said.text])
            elif not rows:
                self.found.missing += 1
        known = {said.text for said in self.record.said}
        self.found.note("never said", (text for text in self.stored if " says " in text and text not in known))

    def _noted(self) -> None:
        """What is no message to be answered, once."""
        counts = Counter(name for one in self.db.decoded.values() for name in {one.external_id, *one.dedupe_keys})
        self.found.note("lost", (id for id in self.record.noted if not counts[id]))
        self.found.note("stored twice", (id for id in self.record.noted if counts[id] > 1))

    def _in_order(self) -> None:
        """What was said after another message was taken, or answered, comes after it, in the one conversation."""
        by_customer: defaultdict[str, list[Said]] = defaultdict(list)
        for said in self.record.said:
            if self.stored[said.text]:
                by_customer[said.customer].append(said)
        for customer, all_said in by_customer.items():
            rows = {said.text: self.stored[said.text][0] for said in all_said}
            if len({row["conversation_id"] for row in rows.values()}) > 1:
                self.found.note("in several conversations", [customer])
            last, settled = "", -1
            for said in all_said:
                seq = rows[said.text]["seq"] or 0
                if seq <= settled:
                    self.found.note("out of order", [f"{said.text} after {last}"])
                settled = max([settled, *self._before(said, all_said, rows)])
                last = said.text

    def _before(self, said: Said, all_said: list[Said], rows: dict[str, Row]) -> Iterator[int]:
        """Numbers of what was settled before the next message of this customer was said."""
        place = all_said.index(said)
        if place + 1 < len(all_said):
            then = all_said[place + 1].at
            yield from (rows[one.text]["seq"] or 0 for one in all_said[: place + 1] if self._settled(one) <= then)

    def _settled(self, said: Said) -> float:
        times = [one.at for one in self.heard.get(said.text, [])]
        return min([*times, float("inf") if said.acked_at is None else said.acked_at])

    def _numbered(self) -> None:
        """`seq` counts from 1 to the conversation's head, without holes and nothing twice."""
        placed: defaultdict[str, list[int]] = defaultdict(list)
        for row in self.db.envelopes:
            if row["seq"] is not None:
                placed[row["conversation_id"]].append(row["seq"])
        for conversation in self.db.conversations:
            if sorted(placed[conversation["id"]]) != list(range(1, conversation["head"] + 1)):
                self.found.note("wrongly numbered", [conversation["id"]])

    # --- answers ------------------------------------------------------------------------------------------------------

    def _answered(self) -> None:
        """Each message once, unless the customer said more before he was answered: then at least the last of these."""
        for said in self.record.said:
            rows, answers = self.stored[said.text], self.answers.get(said.text, [])
            self.found.answers += bool(answers)
            self.found.note("answered twice", (said.text for _ in answers[1:]))
            if not rows or answers:
                continue
            if rows[0]["conversation_id"] in self.with_people:
                continue
            if rows[0]["id"] in self.followed:
                self.found.together += 1
            else:
                self.found.note("not answered", [said.text])

    def _followed(self) -> set[str]:
        """Messages whose next neighbour in the conversation is the customer's, too."""
        placed: defaultdict[str, list[Row]] = defaultdict(list)
        for row in self.db.envelopes:
            if row["seq"] is not None:
                placed[row["conversation_id"]].append(row)
        found: set[str] = set()
        for rows in placed.values():
            rows.sort(key=lambda row: row["seq"])
            found |= {row["id"] for row, after in pairwise(rows) if row["direction"] == after["direction"] == "in"}
        return found

    def _heard(self) -> None:
        """Each answer that we have was heard once; twice only after a doubt that nothing had resolved in time."""
        doubts, parked = self._doubts()
        excused = parked | self._withheld() | self.record.refused | self.record.unheard
        for text, rows in self.answers.items():
            heard = self.heard.get(text, [])
            if not heard and text not in excused:
                self.found.note("answer lost", [text])
            if heard and text in self.record.refused:
                self.found.note("heard although refused", [text])
            for first, second in pairwise(heard):
                told = min(first.told.values(), default=None)
                if not doubts[rows[0]["id"]] or (told is not None and told < second.at - IN_TIME_S):
                    self.found.note("doubled", [text])
                else:
                    self.found.repeated += 1
            self.found.note("heard more than twice", (text for _ in heard[2:]))
        unknown = [text for text in self.heard if text not in self.answers]
        forgotten = {text for text in unknown if self._is_forgotten(text)}
        self.found.forgotten = len(forgotten)
        self.found.note("answers nothing", (text for text in unknown if text not in forgotten))

    def _is_forgotten(self, text: str) -> bool:
        """Spoken, and no message with an id of its own, by a gateway that was killed at once."""
        is_answered_on = any(row["id"] in self.followed for row in self.stored.get(text, ()))
        return is_answered_on and all(
            one.id is None and any(abs(end - one.at) < RIGHT_BEFORE_S for end in self.record.killed)
            for one in self.heard[text]
        )

    def _withheld(self) -> set[str]:
        """Texts of answers that were not sent any more: people had the conversation by then."""
        return {self.text_of[row["envelope_id"]] for row in self.db.commands if self._is_withheld(row)}

    def _is_withheld(self, row: Row) -> bool:
        is_one = row["kind"] == "send" and row["state"] == SUPERSEDED
        return is_one and self.db.conversation_of(row) in self.with_people

    def _doubts(self) -> tuple[dict[str, int], set[str]]:
        """By the answer's envelope; and the texts of answers that wait for a person's decision, or in doubt."""
        doubts: defaultdict[str, int] = defaultdict(int)
        parked = set()
        for row in self.db.commands:
            if row["kind"] == "send":
                doubts[row["envelope_id"]] += row["doubts"]
                if row["state"] == PARKED or (row["state"] < FINAL and row["leg_id"] in self.in_doubt):
                    parked.add(self.text_of[row["envelope_id"]])
        return doubts, parked

    def _ranks(self) -> None:
        """As high as the highest receipt that was taken, whatever came after it; a kill may have cut off an answer."""
        ranks = {external: row["rank"] for (_, external), row in self.db.external.items()}
        for one in self.record.heard:
            highest = max((RANK[status] for status in one.told), default=0)
            if one.id is not None and ranks.get(one.id, 0) < highest:
                self.found.note("status went backwards", [f"{one.id}: {ranks.get(one.id)} and not {highest}"])

    def _sends(self) -> None:
        sends = [row for row in self.db.commands if row["kind"] == "send"]
        commands = Counter(row["envelope_id"] for row in sends)
        self.found.note("sent by two commands", (str(id) for id, count in commands.items() if count > 1))
        for row in sends:
            self.found.doubts += row["doubts"] > 0
            self.found.parked += row["state"] == PARKED
            if row["state"] == PARKED and row["doubts"] < 1:
                self.found.note("parked at the first doubt", [row["id"]])
            expected = self.text_of.get(row["envelope_id"]) in self.record.refused | self.record.unheard
            if FINAL <= row["state"] not in (DONE, PARKED) and not expected and not self._is_withheld(row):
                self.found.note("given up", [f"{row['id']} state {row['state']}: {row['error']}"])

    # --- the rest -----------------------------------------------------------------------------------------------------

    def _at_rest(self) -> None:
        open_ = [row for row in self.db.commands if row["state"] < FINAL and row["leg_id"] not in self.in_doubt]
        self.found.note("stuck in sending", (row["id"] for row in open_ if row["state"] == SENDING))
        self.found.note("not finished", (f"{row['kind']} {row['id']}" for row in open_ if row["state"] != SENDING))
        self.found.note("not processed", (str(row["id"]) for row in self.db.intake if row["state"] == schema.WAITING))
        self.found.note("still parked", (str(row["external_id"]) for row in self.db.parked))
        self.found.note("dead", (f"{row['reason']} {row['detail']}" for row in self.db.dead))
        self.found.note("holder", self._unrest())

    def _unrest(self) -> Iterator[str]:
        """With an engine that always answers, the AI holds everything, and nothing waits but for people."""
        yield from (f"{id} failed, and nobody was told" for id in self._untold())
        for row in self.db.conversations:
            if row["id"] in self.with_people:
                continue
            if row["last_in"] and (row["holder"], row["epoch"]) != ("ai", 1):
                yield f"{row['id']} held by {row['holder']}, epoch {row['epoch']}"
            elif row["asked"] is not None or row["due_at"] is not None or row["answered"] < row["last_in"]:
                yield f"{row['id']} waits: asked {row['asked']}, answered {row['answered']} of {row['last_in']}"

    def _untold(self) -> Iterator[str]:
        """Unless a newer turn was answered, or who hung up did not hear it."""
        answered = {row["id"]: row["answered"] for row in self.db.conversations}
        for id in self.failed:
            row = self.db.by_envelope[id]
            is_last = (row["seq"] or 0) >= answered[row["conversation_id"]]
            if (
                is_last
                and row["conversation_id"] not in self.with_people
                and self.text_of[id] not in self.record.unheard
            ):
                yield id


def _text(database: Database, id: str) -> str:
    """What can be read of it."""
    return "\n".join(line.text for line in transcript([database.decoded[id]]))
