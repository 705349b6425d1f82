"""The list of lines, by the name that `--channel` takes."""

from __future__ import annotations

from collections.abc import Mapping

from tests.chaos.channels.line import Open
from tests.chaos.channels.slack import OverHttp, OverSockets

LINES: Mapping[str, Open] = {
    "slack": OverHttp,
    "slack_socket": OverSockets,
}
