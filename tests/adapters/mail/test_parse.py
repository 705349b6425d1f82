"""What comes in: mails as they are written, by people and by machines, and every other sequence of bytes."""

import pytest

from tests.adapters.mail.mails_machines import DSN, LOOPS, WORDS
from tests.adapters.mail.mails_people import SENDERS, THREADS, TIMES
from tests.adapters.mail.mails_text import FILES, MARKUP, QUOTES, TEXT
from tests.adapters.mail.support import SUBJECT
from tests.kit import InboundCase, check_inbound

CASES = [*TEXT, *MARKUP, *QUOTES, *FILES, *SENDERS, *TIMES, *THREADS, *DSN, *WORDS, *LOOPS]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_inbound(case: InboundCase) -> None:
    check_inbound(SUBJECT, case)
