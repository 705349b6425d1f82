"""What a run does, and where everything is: one value that every process of it reads.

Rule: every loop of a run ends by a count or by one of the times in here.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

ENDPOINT = "wa"
NUMBERS = {"1001": "alpha", "1002": "beta"}
"""The provider's id of each number, and our channel for it."""
APP_SECRET, ACCESS_TOKEN, VERIFY_TOKEN, KEY = "an app secret", "an access token", "a verify token", "k" * 43
WEB, WIDGET, SITE = "web", "shop", "https://shop.example"

Database = Literal["sqlite", "postgresql"]


class Plan(Struct, frozen=True, kw_only=True):
    folder: str
    database: Database
    url: str
    """SQLAlchemy's, as the gateway and the auditor open it."""
    gateway_port: int
    meta_port: int
    widgets_port: int
    kills: int
    messages: int
    visitors: int
    """Simulated widgets; each says something now and then for as long as the load lasts."""
    customers: int
    per_second: float
    """Messages that customers write, as far as they are let."""
    faults: float
    """Share of sends that go wrong at the provider, in all its ways together."""
    seed: int
    settle_s: float
    """How long all that was acknowledged may take to be finished, once nobody writes any more."""
    limit_s: float
    """The whole run."""

    @property
    def path(self) -> Path:
        return Path(self.folder)

    @property
    def journal(self) -> Path:
        return self.path / "meta.json"

    @property
    def visits(self) -> Path:
        return self.path / "widgets.json"

    @property
    def gateway_url(self) -> str:
        return f"http://127.0.0.1:{self.gateway_port}"

    @property
    def widgets_url(self) -> str:
        return f"http://127.0.0.1:{self.widgets_port}"

    @property
    def meta_url(self) -> str:
        return f"http://127.0.0.1:{self.meta_port}"

    def save(self) -> Path:
        file = self.path / "plan.json"
        file.write_bytes(msgspec.json.encode(self))
        return file


def load(file: str) -> Plan:
    return msgspec.json.decode(Path(file).read_bytes(), type=Plan)
