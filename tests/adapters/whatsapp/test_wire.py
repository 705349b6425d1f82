"""Their JSON: whatever is missing, a struct comes out."""

from typing import Any

import msgspec
import pytest

from adapters.whatsapp import wire

READERS = [
    wire.read_entry, wire.read_change, wire.read_value, wire.read_contact, wire.read_message, wire.read_status,
    wire.read_call, wire.read_error,
]  # fmt: skip
TOP = [
    wire.Entry, wire.Change, wire.Value, wire.Contact, wire.Message, wire.Status, wire.Call, wire.Error, wire.Accepted,
    wire.MediaInfo, wire.NumberInfo, wire.ErrorAnswer,
]  # fmt: skip


@pytest.mark.parametrize("read", READERS)
def test_an_empty_object_is_read(read: Any) -> None:
    """No field is required, as the reader may leave any of them out."""
    struct, lost = read(b"{}")
    assert struct is not None
    assert lost == ()


@pytest.mark.parametrize("type", TOP)
def test_null_is_as_good_as_missing(type: type[Any]) -> None:
    """Providers write null where they mean nothing, but for what is a list or raw."""
    optional = [f.encode_name for f in msgspec.structs.fields(type) if f.default is None]
    assert msgspec.json.decode(msgspec.json.encode(dict.fromkeys(optional)), type=type) == type()


def test_a_slice_stays_as_it_was() -> None:
    """Blanks and escapes included: it is what the provider sent."""
    value, _ = wire.read_value(b'{"messages":[ {"a" : "\\u00e9"} ]}')
    assert value is not None
    assert [bytes(item) for item in value.messages or ()] == [b'{"a" : "\\u00e9"}']
