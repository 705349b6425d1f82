"""Questions that the AI engine will not answer, because it was given up: whoever waits is served now.

Rule: what a leg has heard of an answer is told once. Who is saying something now tells it himself, and his question is
not ended before he has: should he not come to it, somebody else will.
"""

import msgspec

from gateway.store import outbox, spoken
from gateway.store.outbox import Waiting
from gateway.store.spoken import Spoken
from gateway.store.tx import Tx
from router.commands import AskAi
from router.events import AiAnswered, AiGaveUp

_decode = msgspec.json.Decoder(AskAi).decode


def fail(tx: Tx, reason: str, now: int) -> list[AiAnswered | AiGaveUp]:
    """What becomes of all questions that wait."""
    waiting = [(one, spoken.kept(one)) for one in outbox.waiting_for_ai(tx)]
    being_said = {one.id for one, said in waiting if said.spoken and one.leased_until > now}
    outbox.end_ai(tx, [one.id for one, _ in waiting if one.id not in being_said], reason)
    return [_told(one, Spoken() if one.id in being_said else said, reason) for one, said in waiting]


def _told(one: Waiting, said: Spoken, reason: str) -> AiAnswered | AiGaveUp:
    epoch, asked = one.fence or 0, _decode(one.payload)
    if said.whole:
        return AiAnswered(command_id=one.id, conversation_id=one.conversation_id, epoch=epoch, up_to=asked.up_to,
                          text=said.spoken, confidence=1.0, leg_id=one.leg_id, spoken=said.spoken,
                          locale=asked.locale)  # fmt: skip
    return AiGaveUp(command_id=one.id, conversation_id=one.conversation_id, epoch=epoch, up_to=asked.up_to,
                    reason=reason, engine_down=True, leg_id=one.leg_id, spoken=said.spoken,
                    locale=asked.locale)  # fmt: skip
