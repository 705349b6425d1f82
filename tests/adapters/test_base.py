"""The contract itself: its catalogue, its values, and that all of it is on the one page that authors import from."""

import importlib
import inspect
import pkgutil
from typing import Any

import msgspec
import pytest

from adapters import base
from adapters.base import (
    Forbidden,
    Malformed,
    NoAnswer,
    NotReached,
    SendError,
    Throttled,
    Unauthentic,
    Unavailable,
)

MODULES = [importlib.import_module(f"adapters.base.{module.name}") for module in pkgutil.iter_modules(base.__path__)]
OWN: dict[str, Any] = {
    name: value
    for module in MODULES
    for name, value in vars(module).items()
    if inspect.isclass(value) and value.__module__ == module.__name__
}


def test_everything_is_on_the_one_page() -> None:
    assert set(OWN) - set(base.__all__) == set()
    assert all(hasattr(base, name) for name in base.__all__)


@pytest.mark.parametrize("name", [name for name, value in OWN.items() if issubclass(value, SendError)])
def test_every_outcome_of_a_send_has_a_code_of_its_own(name: str) -> None:
    codes = [value.code for value in OWN.values() if issubclass(value, SendError)]
    assert codes.count(OWN[name].code) == 1
    assert OWN[name].code == "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)[1:]


def test_what_may_go_later_and_what_we_do_not_know() -> None:
    retryable = {name for name, value in OWN.items() if issubclass(value, SendError) and value.retryable}
    assert retryable == {"Throttled", "Unavailable", "NotReached", "NoAnswer"}
    assert (NoAnswer().certain, NotReached().certain, Unavailable("x", certain=False).certain) == (False, True, False)
    assert NoAnswer("read only", certain=True).certain
    assert Throttled("slow", scope="recipient", retry_after_s=2.0).retry_after_s == 2.0


def test_what_callers_are_told() -> None:
    assert (Unauthentic.status, Forbidden.status) == (401, 403)
    assert not issubclass(Malformed, Unauthentic)


@pytest.mark.parametrize("name", [name for name, value in OWN.items() if issubclass(value, msgspec.Struct)])
def test_every_value_is_frozen(name: str) -> None:
    assert OWN[name].__struct_config__.frozen
