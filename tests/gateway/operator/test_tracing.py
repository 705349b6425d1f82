"""What nobody here can know."""

from pathlib import Path

import pytest

from gateway import operator
from tests.gateway.api_house import config


@pytest.mark.parametrize("id", ["", str(2**63), "9" * 5_000, "\u00b2", "\x00"])
def test_an_id_that_is_none_is_known_to_nobody(tmp_path: Path, id: str) -> None:
    """Also one of more digits than Python reads."""
    made = config(tmp_path, "http://127.0.0.1:9")
    operator.migrate(made)
    assert operator.trace(made, id) == []
