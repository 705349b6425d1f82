"""The bugs, by name: the promise that each breaks, what it changes, and the tests that must notice."""

from __future__ import annotations

from typing import NamedTuple


class Mutant(NamedTuple):
    name: str
    promise: str
    file: str
    edits: tuple[tuple[str, str], ...]
    """(what stands there once, what stands there instead)."""
    tests: tuple[str, ...]
    postgres: bool = False
    """Only several transactions at once can show it."""


MUTANTS = (
    Mutant(
        "handed-over-past-what-waits",
        "3: one customer's messages stay in order",
        "gateway/store/handover.py",
        (("            and row.lane not in self._waiting\n", ""),),
        ("tests/rooms/test_handover.py", "tests/store/test_handover.py"),
    ),
    Mutant(
        "settled-before-what-came-first",
        "3: what a caller says stands after the answer that he cut short",
        "gateway/store/handover.py",
        ((" or before.difference(tx.settled, *(one.settled for one in beside))", ""),),
        ("tests/store/test_at_once.py",),
    ),
    Mutant(
        "settled-before-what-waits-in-the-table",
        "3: what a caller says stands after the answer that he cut short",
        "gateway/store/handover.py",
        (("self._prompts_wait or ", ""),),
        ("tests/store/test_at_once.py",),
    ),
    Mutant(
        "settled-again-under-a-claim-that-is-used-up",
        "2: what was done is not done again by somebody who never heard that he did it",
        "gateway/store/intake.py",
        (('.where(*_FENCE, intake.c.next_index < b("p_next"))', ".where(*_FENCE)"),),
        ("tests/rooms/test_once.py", "tests/store/test_intake.py"),
    ),
    Mutant(
        "a-look-is-fresh-whatever-happened-meanwhile",
        "8: an answer for an older holder is dropped",
        "gateway/perform/stream.py",
        (
            (
                "            self._stream.bell.clear()\n            self._fresh_until = 0.0\n",
                "            self._stream.bell.clear()\n",
            ),
        ),
        ("tests/rooms/test_streams_fresh.py",),
    ),
    Mutant(
        "a-question-is-fresh-whatever-rang",
        "8: an answer for an older holder is dropped",
        "gateway/perform/stream.py",
        (("if held.question is None or rings != self._streams.rings:", "if held.question is None:"),),
        ("tests/rooms/test_along.py",),
    ),
    Mutant(
        "half-a-turn-stays",
        "4: what is tried again has no second effect",
        "gateway/store/tx.py",
        (('            self._connection.exec_driver_sql("ROLLBACK TO prompts")\n', ""),),
        ("tests/store/test_at_once.py", "tests/rooms/test_at_once.py"),
    ),
    Mutant(
        "anybodys-message-taken-for-ours",
        "6: an equal text that another command sent is not proof that this one went out",
        "gateway/perform/doubt.py",
        (("[id for id in found if rows[held.channel_id, id].envelope_id is None]", "list(found)"),),
        ("tests/rooms/test_find.py",),
    ),
    Mutant(
        "one-job-undoes-none",
        "1: what failed leaves nothing behind, whoever shared its commit",
        "gateway/store/writer.py",
        (('            connection.exec_driver_sql("ROLLBACK TO job")\n', ""),),
        ("tests/store/test_writer.py",),
    ),
    Mutant(
        "answer-before-commit",
        "1: no acknowledged message is lost",
        "gateway/receive.py",
        (
            (
                "        await self._store.receive([row])\n        return None\n",
                "        asyncio.ensure_future(self._store.receive([row]))\n        return None\n",
            ),
        ),
        ("tests/gateway/test_web.py::test_nothing_is_acknowledged_while_nothing_can_be_stored",),
    ),
    Mutant(
        "synchronous-normal",
        "1: a power cut loses nothing that was acknowledged",
        "gateway/store/store.py",
        (('"synchronous=FULL"', '"synchronous=NORMAL"'), ('!= ("wal", 2)', '!= ("wal", 1)')),
        ("tests/store/test_store.py",),
    ),
    Mutant(
        "no-dedupe",
        "2: duplicates have no effect",
        "gateway/process/settle.py",
        (("            if other is None:\n", "            if other is None or item:\n"),),
        ("tests/rooms/test_once.py",),
    ),
    Mutant(
        "dedupe-claimed-early",
        "2: a key is written with its effect, never before",
        "gateway/process/__init__.py",
        (
            (
                "    async def _settle_part(self, part: list[Item]) -> None:\n        while True:\n            try:\n",
                "    async def _settle_part(self, part: list[Item]) -> None:\n        while True:\n            try:\n"
                "                from gateway.store import effects\n"
                "                keys = [effects.Seen(key, item.id, item.digest, item.row.id, item.index, 0)\n"
                "                        for item in part for key in item.keys]\n"
                "                await self._store.write(lambda tx: effects.claim_keys(tx, keys) if keys else None)\n",
            ),
        ),
        ("tests/rooms/test_once.py",),
    ),
    Mutant(
        "no-fence",
        "2: whoever lost his claim writes nothing",
        "gateway/store/intake.py",
        (('intake.c.epoch == b("p_epoch")', 'intake.c.epoch >= b("p_epoch")'),),
        ("tests/rooms/test_once.py::test_a_worker_that_lost_its_claim_writes_nothing",),
    ),
    Mutant(
        "no-conversation-lock",
        "3: one customer's messages stay in order",
        "gateway/store/threads.py",
        (
            (
                'contact_id, "ids"))\n        .order_by(conversation.c.id)\n        .with_for_update()\n',
                'contact_id, "ids"))\n        .order_by(conversation.c.id)\n',
            ),
            (
                '(conversation.c.id, "ids"))\n        .order_by(conversation.c.id)\n        .with_for_update()\n',
                '(conversation.c.id, "ids"))\n        .order_by(conversation.c.id)\n',
            ),
        ),
        ("tests/rooms/test_order.py::test_two_lanes_that_meet_in_a_conversation_wait_for_each_other",),
        postgres=True,
    ),
    Mutant(
        "progress-forgotten",
        "3: a request over several transactions goes on where it stood",
        "gateway/process/prepare.py",
        (("item.index >= row.next_index", "item.index >= 0"),),
        ("tests/rooms/test_order.py::test_a_crash_in_the_middle_of_a_request",),
    ),
    Mutant(
        "rest-of-a-lost-claim",
        "3: nothing overtakes what was lost",
        "gateway/process/__init__.py",
        (
            (
                "            except LostClaim:\n                raise\n",
                "            except LostClaim:\n                return\n",
            ),
        ),
        ("tests/rooms/test_order.py::test_a_worker_that_lost_one_row_leaves_the_rest_of_its_claim",),
        postgres=True,
    ),
    Mutant(
        "receipt-race",
        "4: a receipt and the outcome of its call wait for each other",
        "gateway/process/side.py",
        (("effects.touch(self._tx, refs, self._now)", "effects.get(self._tx, refs)"),),
        ("tests/rooms/test_side.py::test_a_receipt_and_the_outcome_of_the_call_wait_for_each_other",),
        postgres=True,
    ),
    Mutant(
        "parked-forgotten",
        "4: early side events are applied when their message comes",
        "gateway/process/side.py",
        (("in effects.unpark(self._tx, self._arrived) if self._arrived else ()", "in ()"),),
        ("tests/rooms/test_side.py::test_a_change_and_its_message_in_either_order",),
    ),
    Mutant(
        "status-goes-back",
        "5: a status never goes backwards",
        "gateway/store/effects.py",
        (('    .where(external.c.rank < b("p_rank")),\n', '    .where(external.c.rank != b("p_rank")),\n'),),
        ("tests/rooms/test_side.py::test_every_order_of_states_ends_alike",),
    ),
    Mutant(
        "sending-called-again",
        "6: what was found in `sending` is never called again on its own",
        "gateway/perform/verdict.py",
        (("return _settled(held, DOUBT, now + wait, error=code)", "return _settled(held, DUE, now, error=code)"),),
        ("tests/rooms/test_sends.py::test_what_was_interrupted_is_in_doubt_and_not_called_again",),
    ),
    Mutant(
        "codes-repeated",
        "6: what must not go out twice is parked for a person",
        "gateway/perform/verdict.py",
        (("if careful or held.doubts > 0:", "if held.doubts > 0:"),),
        ("tests/rooms/test_sends.py::test_what_must_not_go_out_twice_is_parked_at_once",),
    ),
    Mutant(
        "outcome-and-fact-apart",
        "6: outcome and the fact that re-enters are one commit",
        "gateway/perform/__init__.py",
        (
            (
                "await self._batcher.put(lambda tx: write_fact(tx, settled, number, fact, held.conversation_id))\n",
                "from gateway.perform import outcome\n"
                "        await self._batcher.put(lambda tx: outbox.settle_many(tx, [settled]))\n"
                "        row = outcome.fact_row(number, fact, held.conversation_id)\n"
                "        await self._batcher.put(lambda tx: outcome.intake.add(tx, [row]))\n",
            ),
        ),
        ("tests/rooms/test_engine_down.py::test_an_answer_and_its_outcome_stand_or_fall_together",),
    ),
    Mutant(
        "media-lost",
        "7: a message is not lost with its media",
        "gateway/perform/__init__.py",
        (("        lost = msgspec.structs.replace(media, failed=error.code)\n", "        lost = media\n"),),
        ("tests/rooms/test_kept.py::test_media_that_are_gone_leave_the_message_with_its_reason",),
    ),
    Mutant(
        "caption-loses-picture",
        "7: a message is not lost with its media",
        "gateway/process/side.py",
        (("parts=_with_files(parts, body)", "parts=parts"),),
        ("tests/rooms/test_kept.py::test_a_new_caption_loses_no_picture",),
    ),
    Mutant(
        "epoch-unchecked-at-sending",
        "8: an AI answer made before a person took over is never sent",
        "gateway/perform/begin.py",
        (("epochs.get(held.conversation_id) != held.fence]", "False]"),),
        ("tests/rooms/test_holder.py::test_a_takeover_between_the_decision_and_the_sending",),
    ),
    Mutant(
        "stale-answers-taken",
        "8: an answer for an older holder is dropped",
        "router/decide.py",
        (("if event.epoch != conversation.epoch or not isinstance(conversation.holder, Ai):", "if False:"),),
        ("tests/rooms/test_holder.py::test_a_takeover_while_the_engine_thinks",),
    ),
    Mutant(
        "typed-addresses-identify",
        "9: identity is never guessed into a merge",
        "normalizer/identity.py",
        (("return [one for one in claims if one[1].evidence >= Evidence.CHANNEL] or claims[:1]", "return claims"),),
        ("tests/rooms/test_kept.py::test_nobody_is_linked_to_whom_he_claims_to_be",),
    ),
    Mutant(
        "waiting-left-with-a-dead-engine",
        "11: when the engine goes down those who wait for it are served",
        "gateway/process/settle.py",
        (("                    self._fail_waiting(reason)\n", "                    pass\n"),),
        ("tests/rooms/test_engine_down.py::test_whoever_waits_is_served_when_it_opens",),
    ),
    Mutant(
        "questions-to-a-dead-engine",
        "11: while the engine is down new conversations go to people",
        "router/decide.py",
        (
            (
                "    if facts.engine_up:\n        return Trigger.CUSTOMER_WROTE,",
                "    if True:\n        return Trigger.CUSTOMER_WROTE,",
            ),
        ),
        ("tests/rooms/test_engine_down.py::test_while_it_is_down_new_messages_go_straight_to_the_queue",),
    ),
    Mutant(
        "given-up-and-not-told",
        "12: whoever waits for us has a holder: an answer that failed leaves nobody waiting",
        "gateway/perform/outcome.py",
        (("    if failed and is_missed:\n", "    if False:\n"),),
        ("tests/rooms/test_undelivered.py",),
    ),
    Mutant(
        "failed-and-not-told",
        "12: whoever waits for us has a holder: an answer that failed leaves nobody waiting",
        "gateway/process/side.py",
        (("effects.failed_by(ranks, self._rows).items())", "effects.failed_by(ranks, {}).items())"),),
        ("tests/rooms/test_undelivered.py",),
    ),
    Mutant(
        "cursor-beside-the-mails",
        "1: what a source gave and how far it is read are one transaction",
        "gateway/receive.py",
        (("    intake.add(tx, rows)\n    cursors.move(tx, step)\n", "    cursors.move(tx, step)\n"),),
        ("tests/gateway/test_receive.py::test_what_a_source_gave_and_its_cursor_are_one_transaction",),
    ),
    Mutant(
        "unfenced-cursor",
        "1: who lost a source moves its cursor no more",
        "gateway/store/cursors.py",
        (("*step.lease, step.before)) != 1", "*step.lease, step.before)) > 1"),),
        ("tests/store/test_cursors.py", "tests/gateway/test_receive.py::test_who_lost_the_source_keeps_neither"),
    ),
    Mutant(
        "socket-acknowledged-first",
        "1: an envelope is acknowledged after its commit",
        "gateway/listen/socket_mode.py",
        (
            ("            await self._post.deliver([", "            asyncio.ensure_future(self._post.deliver(["),
            ("[waiting.raw for waiting in batch])\n", "[waiting.raw for waiting in batch]))\n"),
        ),
        ("tests/gateway/listen/test_socket_mode.py::test_an_envelope_is_acknowledged_after_its_commit",),
    ),
    Mutant(
        "mails-marked-as-seen",
        "1: a mailbox belongs to people, too",
        "gateway/listen/imap_client.py",
        (("(UID BODY.PEEK[", "(UID BODY["),),
        ("tests/gateway/listen/test_imap.py::test_mails_come_in_their_order_and_are_not_marked",),
    ),
    Mutant(
        "growth-not-heard",
        "1: what comes in the middle of an answer is read, too",
        "gateway/listen/imap_client.py",
        (("            self.news.set()\n", "            self.news.clear()\n"),),
        ("tests/gateway/listen/test_imap_client.py::test_growth_is_heard_in_the_middle_of_another_answer",),
    ),
    Mutant(
        "token-used-unstored",
        "1: a rotated token is stored before it is used",
        "gateway/credentials.py",
        (("        self._unsaved[place] = (held.epoch, token)\n", "        return token\n"),),
        ("tests/gateway/test_credentials.py::test_it_is_stored_before_it_is_used",),
    ),
)
