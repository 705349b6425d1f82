"""Rows whose format is heavy, read beside the room: a slow mail delays what came after it in its mailbox, nobody else.

Rule: a row's files are stored, and safe on the disk, before the transaction that names them.
Rule: with no room for files a row waits: they are inside of it, and nowhere else.
"""

from collections.abc import AsyncIterator, Iterable

from msgspec.structs import replace

from adapters.base import Carried, Malformed
from gateway.heavy import HeavyReader, NotRunning, Unreadable
from gateway.media import MediaError, MediaStore, Stopped
from gateway.process.prepare import Item, Preparer
from gateway.store.files import FileRow
from gateway.store.handover import Arrived
from gateway.store.intake import Claimed
from normalizer.envelope import Envelope, MediaPart, MediaRef, Message


class NotNow(Exception):
    """The disk is nearly full, or no reader could be started: the row is not to blame."""


class Apart:
    def __init__(self, reader: HeavyReader, media: MediaStore, preparer: Preparer) -> None:
        self._reader, self._media, self._preparer = reader, media, preparer

    def takes(self, row: Arrived) -> bool:
        return row.kind == "raw" and self._reader.reads(row.endpoint_id)

    async def items(self, row: Claimed, now: int) -> list[Item]:
        """As `Preparer.items`. Raises NotNow."""
        raw = self._preparer.raw_of(row)
        try:
            read = await self._reader.read(raw)
        except Malformed as error:
            return self._preparer.unreadable(row, "malformed", str(error))
        except Unreadable as error:
            return self._preparer.unreadable(row, error.reason, error.detail)
        except NotRunning as error:
            raise NotNow(str(error)) from None
        refs, files = await self._kept(read.files, now)
        envelopes = [(with_files(envelope, refs), slice_) for envelope, slice_ in read.envelopes]
        return self._preparer.read(row, raw, envelopes, files)

    async def _kept(self, files: Iterable[Carried], now: int) -> tuple[dict[str, MediaRef], tuple[FileRow, ...]]:
        """What is known of each file, by its ref; one that can not be kept says why."""
        refs: dict[str, MediaRef] = {}
        rows: list[FileRow] = []
        for file in files:
            try:
                stored = await self._media.put(_once(file.data), declared=file.mime)
            except Stopped:
                raise NotNow(Stopped.reason) from None
            except MediaError as error:
                refs[file.ref] = MediaRef(failed=error.reason)
                continue
            refs[file.ref] = MediaRef(stored=stored.sha256, sniffed=stored.mime, size=stored.size)
            rows.append(FileRow(stored.sha256, stored.size, stored.mime, now))
        return refs, tuple(rows)


async def _once(data: bytes) -> AsyncIterator[bytes]:
    yield data


def with_files(envelope: Envelope, refs: dict[str, MediaRef]) -> Envelope:
    """The envelope with what became of the files that its parts name."""
    if not refs or not isinstance(envelope.body, Message):
        return envelope
    parts = tuple(
        replace(part, media=_known(part.media, refs)) if isinstance(part, MediaPart) else part
        for part in envelope.body.parts
    )
    return replace(envelope, body=replace(envelope.body, parts=parts))


def _known(media: MediaRef, refs: dict[str, MediaRef]) -> MediaRef:
    found = refs.get(media.external_id or "")
    if found is None:
        return media
    size = found.size or media.size
    return replace(media, stored=found.stored, sniffed=found.sniffed, size=size, failed=found.failed)
