"""Keys: what they must have before there is one."""

from pathlib import Path

import pytest

from gateway import operator
from gateway.commands import Failed
from gateway.security import Scope
from tests.gateway.api_house import config


@pytest.mark.parametrize("name", ["", " \t"])
def test_a_key_without_a_name_is_not_made(tmp_path: Path, name: str) -> None:
    made = config(tmp_path, "http://127.0.0.1:9")
    operator.migrate(made)
    with pytest.raises(Failed, match="who uses it"):
        operator.create_token(made, name, Scope.READ)
    assert operator.list_tokens(made) == []
