"""The list of adapters."""

import subprocess
import sys

import pytest

from adapters import REGISTRY


@pytest.mark.parametrize("type_", REGISTRY)
def test_each_is_registered_under_its_own_type(type_: str) -> None:
    """The name in the list is the one that the adapter bears."""
    assert REGISTRY[type_].type == type_


def test_an_unknown_type_is_a_key_error() -> None:
    """As for any mapping."""
    assert "fax" not in REGISTRY
    with pytest.raises(KeyError):
        REGISTRY["fax"]
    assert len(REGISTRY) == len(list(REGISTRY))


def test_nothing_is_imported_before_it_is_asked_for() -> None:
    """The list alone loads no adapter."""
    code = "import sys, adapters; list(adapters.REGISTRY); print([m for m in sys.modules if m.startswith('adapters.')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
