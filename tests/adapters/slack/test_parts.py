"""Files of every kind and state."""

import json
from typing import Any

import pytest
from msgspec import Raw

from adapters.slack.parts import file_part
from normalizer.envelope import Document, MediaPart, Text

URL = "https://files.slack.com/files-pri/T1-F1/a"


def _part(**file: Any) -> Any:
    return file_part(Raw(json.dumps(file).encode()))


@pytest.mark.parametrize(
    ("mime", "kind"),
    [
        ("image/png", "image"),
        ("audio/ogg", "audio"),
        ("video/mp4", "video"),
        ("text/plain", "document"),
        (None, "document"),
    ],
)
def test_kinds(mime: str | None, kind: str) -> None:
    """By the type that Slack tells."""
    part = _part(id="F1", mimetype=mime, url_private=URL)
    assert isinstance(part, MediaPart)
    assert (part.__struct_config__.tag, part.media.url) == (kind, URL)


@pytest.mark.parametrize("size", [0, -1, None, "7"])
def test_a_size_that_is_none(size: Any) -> None:
    assert _part(id="F1", size=size, url_private=URL).media.size is None


@pytest.mark.parametrize(
    ("file", "failed"),
    [
        ({"id": "F1", "mode": "tombstone"}, "tombstone"),
        ({"id": "F1", "mode": "hidden_by_limit"}, "hidden_by_limit"),
        ({"id": "F1", "file_access": "file_access_denied"}, "file_access_denied"),
        ({"name": "a.png"}, "unreadable"),
        ({"id": "F1"}, None),
        ({"url_private": URL}, None),
    ],
)
def test_bytes_that_nobody_gets(file: dict[str, Any], failed: str | None) -> None:
    """Told with the part; the message stands without them."""
    part = _part(**file)
    assert isinstance(part, Document)
    assert part.media.failed == failed


def test_a_file_to_be_asked_for_has_no_url() -> None:
    """Even if it has one: it is of no use."""
    assert _part(id="F1", file_access="check_file_info", url_private=URL).media.url is None


def test_a_file_that_lies_elsewhere_is_its_link() -> None:
    assert _part(id="F1", is_external=True, title="Plan", url_private="https://x.example/1") == Text(
        "Plan https://x.example/1"
    )
