"""How a provider of inbound mail posts: what arrived becomes signed requests, which come again until they are taken."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from msgspec import Struct

from adapters._mail.simulator import Arriving, World
from adapters.base import Reply, Request

Post = Callable[[Arriving, datetime], Request]


class Pending(Struct):
    request: Request
    again: datetime
    tries: int = 0


class Posts:
    """`Provider`, whose API nobody calls: we send by SMTP. `repeats_s`: between tries; then it is given up."""

    def __init__(self, world: World, post: Post, repeats_s: Sequence[float], *, stop_at: frozenset[int]) -> None:
        """`stop_at`: statuses beside 2xx after which it is not tried again."""
        self.world, self._post, self._repeats_s, self._stop_at = world, post, repeats_s, stop_at
        self.reorder = False
        """The newest mail first."""
        self.given_up: list[Request] = []
        self._pending: list[Pending] = []

    def answer(self, request: Request, now: datetime) -> Reply:
        return Reply(404)

    def due(self, now: datetime) -> Sequence[Request]:
        for one in self.world.arrived(now, reorder=self.reorder):
            self.tell(self._post(one, now), now)
        found = []
        for pending in list(self._pending):
            if pending.again > now:
                continue
            if pending.tries == len(self._repeats_s) + 1:
                self._pending.remove(pending)
                self.given_up.append(pending.request)
                continue
            wait = self._repeats_s[pending.tries] if pending.tries < len(self._repeats_s) else 0.0
            pending.again, pending.tries = now + timedelta(seconds=wait), pending.tries + 1
            found.append(pending.request)
        return found

    def tell(self, request: Request, now: datetime) -> None:
        """Something else that it posts."""
        self._pending.append(Pending(request, again=now))

    def next_due(self) -> datetime | None:
        times = [pending.again for pending in self._pending]
        arrival = self.world.next_arrival()
        return min([*times, arrival] if arrival else times, default=None)

    def delivered(self, request: Request, status: int) -> None:
        """How the gateway answered."""
        if not (200 <= status < 300 or status in self._stop_at):
            return
        found = next((one for one in self._pending if one.request is request or one.request == request), None)
        if found is not None:
            self._pending.remove(found)

    @property
    def undelivered(self) -> int:
        return len(self._pending) + len(self.world.arriving)


def multipart(
    fields: Sequence[tuple[str, str | bytes]], files: Sequence[tuple[str, str, str, bytes]], boundary: str
) -> bytes:
    """A form; a file is its field's name, its own name, its type, and its bytes."""
    parts = [_part(boundary, f'name="{name}"', value) for name, value in fields]
    parts += [
        _part(boundary, f'name="{name}"; filename="{filename}"', data, f"Content-Type: {mime}\r\n")
        for name, filename, mime, data in files
    ]
    return b"".join(parts) + f"--{boundary}--\r\n".encode()


def _part(boundary: str, names: str, value: str | bytes, more: str = "") -> bytes:
    head = f"--{boundary}\r\nContent-Disposition: form-data; {names}\r\n{more}\r\n"
    return head.encode() + (value.encode() if isinstance(value, str) else value) + b"\r\n"
