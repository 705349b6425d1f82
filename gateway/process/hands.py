"""Rows that are leased to us and not settled yet: prompts (frames of live sockets, facts of ours) beside webhooks.

Rule: each of the two is in the order of its ids. A lane is one or the other as a whole, so that whichever goes first,
      no lane's order changes.
Rule: a row whose lease is nearly over is not begun any more.
"""

from collections import deque

from gateway.store.intake import Claimed, is_prompt

Waiting = deque[tuple[Claimed, int]]


class Hands:
    def __init__(self) -> None:
        self._prompts: Waiting = deque()
        self._webhooks: Waiting = deque()
        self.bytes = 0

    def __len__(self) -> int:
        return len(self._prompts) + len(self._webhooks)

    @property
    def prompts(self) -> int:
        return len(self._prompts)

    @property
    def webhooks(self) -> int:
        return len(self._webhooks)

    def add(self, rows: list[Claimed], until: int) -> None:
        """`rows` in the order of their ids; `until`: when they are to be given back instead of begun."""
        self._append(self._prompts, [(row, until) for row in rows if is_prompt(row)])
        self._append(self._webhooks, [(row, until) for row in rows if not is_prompt(row)])
        self.bytes += sum(len(row.raw) for row in rows)

    def _append(self, waiting: Waiting, new: list[tuple[Claimed, int]]) -> None:
        is_late = bool(new and waiting) and new[0][0].id < waiting[-1][0].id
        waiting.extend(new)
        if is_late:
            # What had to be looked for is here after what was handed over, and is older.
            ordered = sorted(waiting, key=lambda one: one[0].id)
            waiting.clear()
            waiting.extend(ordered)

    def take_prompts(self, most: int) -> list[Claimed]:
        return self._take(self._prompts, most)

    def take_webhooks(self, most: int) -> list[Claimed]:
        return self._take(self._webhooks, most)

    def _take(self, waiting: Waiting, most: int) -> list[Claimed]:
        rows = [waiting.popleft()[0] for _ in range(min(most, len(waiting)))]
        self.bytes -= sum(len(row.raw) for row in rows)
        return rows

    def late(self, now: int) -> bool:
        """Something in them was to be given back by now."""
        return any(waiting and waiting[0][1] < now for waiting in (self._prompts, self._webhooks))

    def empty(self) -> list[Claimed]:
        """All of it, and they hold nothing any more."""
        rows = [row for waiting in (self._prompts, self._webhooks) for row, _ in waiting]
        self._prompts.clear()
        self._webhooks.clear()
        self.bytes = 0
        return rows
