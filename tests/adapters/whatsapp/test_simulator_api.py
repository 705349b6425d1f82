"""What the simulated API answers, and what becomes of a message afterwards."""

from datetime import timedelta

import pytest

from adapters.base import Request
from adapters.whatsapp.simulator_world import Customer, Number, Template
from normalizer.envelope import (
    Receipt,
    Status,
)
from tests.adapters.whatsapp.simulated import deliver, exchange, meta, opened, outcome, text
from tests.adapters.whatsapp.support import ACCOUNT, GRAPH, TOKEN
from tests.kit.cases import NOW


@pytest.mark.parametrize(
    ("label", "failure"),
    [("more than a day", "window_closed"), ("not on WhatsApp", "unreachable"), ("no marketing", "opted_out")],
)
def test_accepted_and_failed_later(label: str, failure: str) -> None:
    """The API accepts, and a status tells what became of it."""
    simulated, customer = opened()
    body = text()
    if failure == "window_closed":
        customer.windows.clear()
    elif failure == "unreachable":
        customer.on_whatsapp = False
    else:
        customer.stopped_marketing = True
        simulated.world.templates.append(Template("offer", "en"))
        body = {"kind": "message", "parts": [{"type": "template", "name": "offer", "language": "en"}]}
    assert outcome(simulated, body) == ("sent", None)
    (receipt,) = deliver(simulated)
    assert isinstance(receipt, Receipt)
    assert receipt.status is Status.FAILED
    assert receipt.failure is not None
    assert receipt.failure.code == failure, label


def test_limits() -> None:
    """45 at once to one person, then one in six seconds; and so many a second from one number."""
    simulated, _ = opened()
    simulated.world.numbers[ACCOUNT] = Number(ACCOUNT, "15550783881", per_second=1000)
    results = [outcome(simulated, text()) for _ in range(46)]
    assert results == [("sent", None)] * 45 + [("Throttled", "131056")]
    assert exchange(simulated, text(), NOW + timedelta(seconds=6)).error is None
    slow, _ = opened()
    slow.world.numbers[ACCOUNT] = Number(ACCOUNT, "15550783881", per_second=2)
    assert [outcome(slow, text())[1] for _ in range(3)] == [None, None, "130429"]
    assert exchange(slow, text(), NOW + timedelta(seconds=1)).error is None


def test_faults_on_demand() -> None:
    """The next calls fail as they are told to."""
    simulated, _ = opened()
    simulated.world.faults += ["429", "500", "html", "401", "empty"]
    kinds = [outcome(simulated, text())[0] for _ in range(6)]
    assert kinds == ["Throttled", "Unavailable", "Unavailable", "CredentialsRefused", "NoAnswer", "sent"]
    simulated.world.faults += ["slow", "lost"]
    call = Request(method="GET", url=f"{GRAPH}/{ACCOUNT}", headers={"Authorization": f"Bearer {TOKEN}"})
    assert [simulated.answer(call, NOW).headers["x-simulated-delay-s"] for _ in range(2)] == ["30", "never"]


def test_a_wrong_token_and_a_wrong_path() -> None:
    """Nothing is answered to strangers, and nothing is made up."""
    simulated = meta()
    stranger = Request(method="GET", url=f"{GRAPH}/{ACCOUNT}", headers={"Authorization": "Bearer wrong"})
    assert simulated.answer(stranger, NOW).status == 401
    for method, url in (("GET", f"{GRAPH}/nothing"), ("POST", f"{GRAPH}/{ACCOUNT}"), ("GET", "https://example.org/")):
        assert (
            simulated.answer(Request(method=method, url=url, headers={"Authorization": f"Bearer {TOKEN}"}), NOW).status
            >= 400
        )


def test_group() -> None:
    """A known group is written to, and each member's phone tells that it arrived."""
    simulated, customer = opened()
    simulated.world.groups["g1"] = [customer, Customer(name="Bo", user_id="DE.1", shows_phone=False)]
    assert outcome(simulated, text(), to="whatsapp:group/g2") == ("Refused", "100")
    assert outcome(simulated, text(), to="whatsapp:group/g1") == ("sent", None)
    receipts = deliver(simulated)
    assert [(r.status, r.recipient and r.recipient.value) for r in receipts] == [
        (Status.SENT, None), (Status.DELIVERED, "16505551234"), (Status.DELIVERED, "DE.1"),
    ]  # fmt: skip
