"""Who asks: API keys as bearer tokens, checked against what the store keeps of them.

Rule: a key is looked up at most once in `key_cache_ms`; that long a revoked one may still be good, and no longer.
Rule: what is remembered is bounded, also when somebody tries keys that do not exist.
"""

from collections import OrderedDict

from gateway.api.problems import Problem
from gateway.clock import Clock
from gateway.security import Presented, Scope, TokenRecord, allows, from_header, is_genuine
from gateway.settings import Api as ApiSettings
from gateway.store import keys
from gateway.store.store import Store

REALM = 'Bearer realm="throughline"'


class Keys:
    def __init__(self, store: Store, clock: Clock, settings: ApiSettings) -> None:
        self._store, self._clock = store, clock
        self._ttl_s, self._size = settings.key_cache_ms / 1000, settings.key_cache_size
        self._known: OrderedDict[str, tuple[float, TokenRecord | None]] = OrderedDict()

    async def admit(self, authorization: str | None, needed: Scope) -> TokenRecord:
        """Raises Problem, or StoreUnavailable."""
        shown = from_header(authorization)
        if shown is None:
            raise _unauthenticated(REALM)
        record = await self._record(shown)
        if record is None or not is_genuine(shown, record, self._clock.now()):
            raise _unauthenticated(f'{REALM}, error="invalid_token"')
        if not allows(record, needed):
            scope = needed.name.lower()
            challenge = f'{REALM}, error="insufficient_scope", scope="{scope}"'
            raise Problem(
                "forbidden", f"this operation needs the scope `{scope}`", headers={"WWW-Authenticate": challenge}
            )
        return record

    async def _record(self, shown: Presented) -> TokenRecord | None:
        found = self._known.get(shown.id)
        now = self._clock.monotonic()
        if found is not None and now - found[0] < self._ttl_s:
            return found[1]
        record = await self._store.read(lambda tx: keys.get(tx, shown.id))
        self._known[shown.id] = (now, record)
        self._known.move_to_end(shown.id)
        while len(self._known) > self._size:
            self._known.popitem(last=False)
        return record


def _unauthenticated(challenge: str) -> Problem:
    return Problem("unauthenticated", "send `Authorization: Bearer tl_...`", headers={"WWW-Authenticate": challenge})
