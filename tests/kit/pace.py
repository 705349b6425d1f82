"""Whether something ends in time, on a machine that others use too.

Rule: seconds of the own thread, not of a clock. What an import or a collection costs comes once: one of three counts.
"""

import time
from collections.abc import Callable
from contextlib import suppress

TRIES = 3


def is_quick(call: Callable[[], object], within_s: float) -> bool:
    return any(_seconds(call) < within_s for _ in range(TRIES))


def _seconds(call: Callable[[], object]) -> float:
    began = time.thread_time()
    with suppress(Exception):
        call()
    return time.thread_time() - began
