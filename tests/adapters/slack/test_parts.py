"""Files of every kind and state."""

import json
from typing import Any

import pytest
from msgspec import Raw

from adapters.slack import wire
from adapters.slack.parts import file_part, parts_of
from normalizer.envelope import Document, MediaPart, MediaRef, Text, Voice
from tests.adapters.slack.support import encoded

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


@pytest.mark.parametrize("kind", ["docs", "list"])
def test_a_page_of_the_workspace_is_its_link(kind: str) -> None:
    """What its URL gives is HTML, as the login page is."""
    page = f"https://acme.slack.com/{kind}/T1/F1"
    file = {"id": "F1", "mimetype": f"application/vnd.slack-{kind}", "title": "Plan", "url_private": URL}
    assert _part(**file, permalink=page) == Text(f"Plan {page}")
    assert isinstance(_part(**file), Document)


@pytest.mark.parametrize(
    ("transcription", "said"),
    [
        ({"status": "complete", "preview": {"content": "Hello there", "has_more": False}}, "Hello there"),
        ({"status": "complete", "preview": {"content": "Hello there and", "has_more": True}}, "Hello there and ..."),
        ({"status": "processing"}, None),
        ({"status": "complete", "preview": {"content": ""}}, None),
        ({"status": "complete", "preview": "Hello"}, None),
        ("complete", None),
        (None, None),
    ],
)
def test_what_is_said_in_a_clip(transcription: Any, said: str | None) -> None:
    """Slack writes down the beginning of it; what can not be read takes nothing with it."""
    media = MediaRef(external_id="F1", url=URL)
    assert _part(id="F1", subtype="slack_audio", url_private=URL, transcription=transcription) == Voice(media, said)


# --- text ---------------------------------------------------------------------------------------------------------


def _parts(**event: Any) -> Any:
    found, _ = wire.read_event(encoded(event))
    assert found is not None
    return parts_of(found, "UBOT")


def _rich(*inlines: dict[str, Any]) -> dict[str, Any]:
    return {"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": [*inlines]}]}


def test_a_message_of_blocks_alone_says_what_they_say() -> None:
    blocks = [_rich({"type": "user", "user_id": "UBOT"}, {"type": "text", "text": " 3 < 4 & 5"})]
    assert _parts(text="", blocks=blocks) == (Text("3 < 4 & 5"),)
    assert _parts(text="its text", blocks=blocks) == (Text("its text"),)
    assert _parts(text="", blocks=[], attachments=[{"fallback": "a card"}]) == (Text("a card"),)


def test_who_says_our_name_alone_has_said_something() -> None:
    assert _parts(text=" <@UBOT> ") == (Text(" @UBOT "),)
    (file,) = _parts(text="<@UBOT>", files=[{"id": "F1", "url_private": URL}])
    assert isinstance(file, Document)
    assert _parts(text=" ") == ()
