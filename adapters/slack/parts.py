"""The content of a message: its text, what it passes on, and its files.

Rule: a message never gets lost with its files: one that can not be read is a document without bytes.
"""

from collections.abc import Sequence

from msgspec import Raw

from adapters.slack import wire
from adapters.slack.mrkdwn import decode
from normalizer.envelope import Audio, Document, Image, MediaRef, Part, Text, Video, Voice

GONE = frozenset({"tombstone", "hidden_by_limit", "file_access_denied"})
"""Values of `mode` and `file_access` for files whose bytes nobody gets any more."""
CHECK = "check_file_info"
"""The value of `file_access` of a file from another organization: its data must be asked for."""


def parts_of(event: wire.Event, our_user: str | None) -> tuple[Part, ...]:
    texts = [decode(event.text or "", our_user)]
    quoted = [found for found, _ in map(wire.read_quoted, event.attachments or ()) if found]
    texts += [shown for one in quoted if (one.is_share or not event.text) and (shown := _quoted(one))]
    files = [*(event.files or ()), *(file for one in quoted for file in one.files or ())]
    return (*(Text(text) for text in texts if text.strip()), *map(file_part, files))


def is_passed_on(event: wire.Event) -> bool:
    return any(found.is_share for found, _ in map(wire.read_quoted, event.attachments or ()) if found)


def file_ids(files: Sequence[Raw] | None) -> list[str | None]:
    return [found.id if found else None for found, _ in map(wire.read_file, files or ())]


def _quoted(one: wire.Quoted) -> str:
    return decode(one.text or one.fallback or one.title or "")


def file_part(slice_: Raw) -> Part:
    file, _ = wire.read_file(slice_)
    if file is None:
        return Document(MediaRef(failed="unreadable"))
    url = file.url_private_download or file.url_private
    if file.is_external and url:
        return Text(f"{file.title or file.name or ''} {url}".strip())  # it lies elsewhere; our token is no use there
    media = MediaRef(
        external_id=file.id or None,
        url=url if file.file_access != CHECK else None,
        mime=file.mimetype or None,
        size=file.size if file.size and file.size > 0 else None,
        filename=file.name or None,
        failed=_failed(file),
    )
    return _kind(file, media)


def _failed(file: wire.File) -> str | None:
    gone = next((word for word in (file.mode, file.file_access) if word in GONE), None)
    if gone:
        return gone
    return None if file.id or file.url_private or file.url_private_download else "unreadable"


def _kind(file: wire.File, media: MediaRef) -> Part:
    if file.subtype == "slack_audio":
        return Voice(media)
    match (media.mime or "").partition("/")[0]:
        case "image":
            return Image(media)
        case "audio":
            return Audio(media)
        case "video":
            return Video(media)
        case _:
            return Document(media)
