"""The content of a message: its text, what it passes on, and its files.

Rule: a message never gets lost with its files: one that can not be read is a document without bytes.
"""

from collections.abc import Sequence

from msgspec import Raw

from adapters.slack import wire
from adapters.slack.mrkdwn import decode
from adapters.slack.shown import shown
from normalizer.envelope import Audio, Document, Image, MediaRef, Part, Text, Video, Voice

GONE = frozenset({"tombstone", "hidden_by_limit", "file_access_denied"})
"""Values of `mode` and `file_access` for files whose bytes nobody gets any more."""
CHECK = "check_file_info"
"""The value of `file_access` of a file from another organization: its data must be asked for."""
OF_SLACK = "application/vnd.slack-"
"""Begins the type of canvases and lists, which are pages of the workspace and no files."""


def text_of(event: wire.Event) -> str:
    """In Slack's markup."""
    return event.text or shown(event.blocks)


def parts_of(event: wire.Event, our_user: str | None) -> tuple[Part, ...]:
    text = text_of(event)
    texts = [decode(text, our_user)]
    quoted = [found for found, _ in map(wire.read_quoted, event.attachments or ()) if found]
    texts += [words for one in quoted if (one.is_share or not text) and (words := _quoted(one))]
    files = [*(event.files or ()), *(file for one in quoted for file in one.files or ())]
    parts = (*(Text(text) for text in texts if text.strip()), *map(file_part, files))
    return parts or ((Text(decode(text)),) if text.strip() else ())  # whoever says our name alone wants us


def is_passed_on(event: wire.Event) -> bool:
    return any(found.is_share for found, _ in map(wire.read_quoted, event.attachments or ()) if found)


def file_ids(files: Sequence[Raw] | None) -> list[str | None]:
    return [found.id if found else None for found, _ in map(wire.read_file, files or ())]


def transcripts(files: Sequence[Raw] | None) -> list[str | None]:
    return [_said(found) if found else None for found, _ in map(wire.read_file, files or ())]


def _quoted(one: wire.Quoted) -> str:
    return decode(one.text or one.fallback or one.title or "")


def file_part(slice_: Raw) -> Part:
    file, _ = wire.read_file(slice_)
    if file is None:
        return Document(MediaRef(failed="unreadable"))
    url = file.url_private_download or file.url_private
    if page := _page(file):
        return Text(f"{file.title or file.name or ''} {page}".strip())
    media = MediaRef(
        external_id=file.id or None,
        url=url if file.file_access != CHECK else None,
        mime=file.mimetype or None,
        size=file.size if file.size and file.size > 0 else None,
        filename=file.name or None,
        failed=_failed(file),
    )
    return _kind(file, media)


def _page(file: wire.File) -> str | None:
    """What is opened, not fetched: it lies elsewhere, where our token is no use, or is a page of the workspace."""
    if file.is_external:
        return file.url_private_download or file.url_private
    return file.permalink if (file.mimetype or "").startswith(OF_SLACK) else None


def _failed(file: wire.File) -> str | None:
    gone = next((word for word in (file.mode, file.file_access) if word in GONE), None)
    if gone:
        return gone
    return None if file.id or file.url_private or file.url_private_download else "unreadable"


def _kind(file: wire.File, media: MediaRef) -> Part:
    if file.subtype == "slack_audio":
        return Voice(media, _said(file))
    match (media.mime or "").partition("/")[0]:
        case "image":
            return Image(media)
        case "audio":
            return Audio(media)
        case "video":
            return Video(media)
        case _:
            return Document(media)


def _said(file: wire.File) -> str | None:
    """Slack's own transcript of a clip, of which a message has the beginning."""
    preview = (file.transcription and file.transcription.preview) or wire.Preview()
    if not preview.content:
        return None
    return f"{preview.content} ..." if preview.has_more else preview.content
