"""What a caller is in, at any moment of a simulated call."""

from datetime import datetime
from xml.etree import ElementTree as ET

from msgspec import Struct

from adapters.twilio_voice.simulator_relay import Relay

Node = ET.Element
"""A verb of TwiML."""


class Fetching(Struct, frozen=True):
    """A document is asked for."""


class Pausing(Struct, frozen=True):
    until: datetime


class Gathering(Struct, frozen=True):
    node: Node
    until: datetime


class RecordingIt(Struct, frozen=True):
    node: Node


class Dialling(Struct, frozen=True):
    node: Node
    to: str
    bridged: bool = False


class Queued(Struct):
    node: Node
    name: str
    since: datetime
    sid: str
    verbs: list[Node]
    """Of the document that is played meanwhile."""
    fetching: bool = False
    until: datetime | None = None


class Relaying(Struct, frozen=True):
    node: Node
    relay: Relay


class Ended(Struct, frozen=True):
    pass


Doing = Fetching | Pausing | Gathering | RecordingIt | Dialling | Queued | Relaying | Ended
