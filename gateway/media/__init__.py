"""Files of customers and ours: kept by their content, told apart by their bytes, handed out by signed links."""

from gateway.media.links import Granted, MediaLinks
from gateway.media.store import (
    DiskState,
    Empty,
    MediaError,
    MediaSettings,
    MediaStore,
    Missing,
    Stopped,
    Stored,
    Swept,
    TooLarge,
)
from gateway.media.types import serving_headers, sniff

__all__ = [
    "DiskState",
    "Empty",
    "Granted",
    "MediaError",
    "MediaLinks",
    "MediaSettings",
    "MediaStore",
    "Missing",
    "Stopped",
    "Stored",
    "Swept",
    "TooLarge",
    "serving_headers",
    "sniff",
]
