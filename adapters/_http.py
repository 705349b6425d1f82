"""What the answers of HTTP say when nothing else does: a send's fate by the status alone.

Rule: a page that a gateway in between may have written proves nothing: such a send may have gone out.
"""

import math
from collections.abc import Callable

from adapters.base import CredentialsRefused, NoAnswer, Refused, Reply, SendError, Throttled, Unavailable

MAX_RETRY_AFTER_S = 7 * 86_400.0
NOT_SURELY_REFUSED = frozenset({408, 500, 502, 504})
"""A gateway may answer these for a call that did go through."""


def status_error(reply: Reply, certain: bool | None = None) -> SendError:
    """Of an answer that is no 2xx. `certain` None: by the status."""
    if certain is None:
        certain = reply.status not in NOT_SURELY_REFUSED
    make: Callable[..., SendError]
    match reply.status:
        case 401 | 403:
            make = CredentialsRefused
        case 429:
            make = Throttled
        case status if status == 408 or status >= 500:
            make = Unavailable
        case status if status >= 300:
            make = Refused
        case _:
            return NoAnswer(f"status {reply.status}")
    return make(f"status {reply.status}", retry_after_s=retry_after(reply), certain=certain)


def retry_after(reply: Reply) -> float | None:
    """Seconds; the form with a date is not used here."""
    given = next((value for name, value in reply.headers.items() if name.lower() == "retry-after"), "")
    try:
        seconds = float(given)
    except ValueError:
        return None
    return min(seconds, MAX_RETRY_AFTER_S) if math.isfinite(seconds) and seconds >= 0 else None
