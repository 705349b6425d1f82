"""The simulated SendGrid against the adapter."""

import pytest

from adapters.mail_sendgrid.simulator import SendGrid
from tests.adapters._mail.worlds import OURS, check_all, check_proof, ids
from tests.adapters.mail_sendgrid.support import PRIVATE, SUBJECT
from tests.kit.cases import HOOK_URL, NOW
from tests.kit.contract import as_raw


def made(raw: bool = True) -> SendGrid:
    return SendGrid(addresses=(OURS,), private_key=PRIVATE, webhook_url=HOOK_URL, ids=ids(), raw=raw)


@pytest.mark.parametrize("raw", [True, False])
def test_it_is_what_the_adapter_reads(raw: bool) -> None:
    check_all(SUBJECT, lambda: made(raw), [60.0, 300.0, 900.0], whole=raw)
    check_proof(SUBJECT, made(raw))


def test_events() -> None:
    sendgrid = made()
    sendgrid.events([{"event": "delivered"}, {"event": "bounce"}], NOW)
    (request,) = sendgrid.posts.due(NOW)
    raw = as_raw(SUBJECT, request)
    assert SUBJECT.adapter.verify(raw) is None
    assert len({one.id for one in SUBJECT.adapter.parse(raw)}) == 2
