"""adapters/_mail/fate.py: receipts of what is provably ours, and of nothing else."""

from datetime import UTC, datetime

import pytest

from adapters._mail.fate import TEXT_MAX, Told, failed, receipt
from adapters.base import RawInbound
from normalizer.address import Address, Scheme
from normalizer.envelope import Envelope, Receipt, Status
from normalizer.ids import EndpointId
from tests.adapters.mail.support import ADDRESS, KEY, OLD_KEY, OUR_ID, OURS

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
RAW = RawInbound(id="r1", endpoint_id=EndpointId("e"), origin="webhook", received_at=AT)


def made(
    id: str = OUR_ID,
    recipient: str | None = "joe@x.example",
    *,
    renamed: bool = False,
    keys: tuple[str, ...] = (KEY, OLD_KEY),
) -> Envelope | None:
    told = Told(message_id=id, status=Status.DELIVERED, recipient=recipient, renamed=renamed)
    return receipt(RAW, told, "mail_test", ADDRESS, keys, None)


@pytest.mark.parametrize("id", [OUR_ID, f"<{OUR_ID}>", f" <{OUR_ID}> "])
def test_of_ours(id: str) -> None:
    envelope = made(id)
    assert envelope is not None
    assert isinstance(envelope.body, Receipt)
    assert (envelope.body.target, envelope.native_thread, envelope.echo_key) == (OUR_ID, OURS, "cmd_0011:0")
    assert envelope.dedupe_keys == (f"delivered:{OUR_ID}:mailto:joe@x.example",)


@pytest.mark.parametrize("id", ["", "m1@x.example", "x" + OUR_ID, OUR_ID.replace("0011", "0012"), "\ud800"])
def test_not_of_others(id: str) -> None:
    assert made(id) is None


def test_without_keys_whatever_is_named_counts() -> None:
    """Nothing can be proven then; a name it must have all the same."""
    envelope = made("m1@x.example", keys=())
    assert envelope is not None
    assert isinstance(envelope.body, Receipt)
    assert (envelope.body.target, envelope.echo_key) == ("m1@x.example", None)
    assert made("", keys=()) is None


def test_an_id_that_took_the_place_of_ours_is_taken_as_it_is() -> None:
    envelope = made("0102@eu-west-1.amazonses.com", renamed=True)
    assert envelope is not None
    assert (envelope.native_thread, envelope.echo_key) == (None, None)


@pytest.mark.parametrize(
    ("recipient", "address"),
    [
        ("Joe@X.Example", "Joe@x.example"),
        ("joe@bücher.example", "joe@xn--bcher-kva.example"),
        ("joe", None),
        (None, None),
    ],
)
def test_for_whom(recipient: str | None, address: str | None) -> None:
    envelope = made(recipient=recipient)
    assert envelope is not None
    assert isinstance(envelope.body, Receipt)
    assert envelope.body.recipient == (Address(Scheme.MAILTO, address) if address else None)


def test_words_have_a_limit() -> None:
    assert failed(True, None, "x" * (TEXT_MAX + 1)) == failed(True, None, "x" * TEXT_MAX)
    assert (failed(True, "5.1.1", "").code, failed(False, None, "").code) == ("hard_bounce", "soft_bounce")
