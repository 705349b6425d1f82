"""The event loop's own clock, put forward: a time limit is over when a test says so, and never before."""

from __future__ import annotations

import asyncio
from typing import Any


def pass_time(seconds: float = 3_600.0) -> None:
    """As if nothing had happened for so long: whatever the running loop does at a time that lies within is due now."""
    loop: Any = asyncio.get_running_loop()
    now = loop.time
    loop.time = lambda: now() + seconds
