"""Every seeded bug still applies, and the suite turns red with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import house
from tests.mutants.catalogue import MUTANTS, Mutant
from tests.mutants.run import DoesNotApply, broken, copied, is_noticed, where

FAST = ("epoch-unchecked-at-sending", "no-fence", "outcome-and-fact-apart")
NAMED = {mutant.name: mutant for mutant in MUTANTS}


@pytest.mark.parametrize("mutant", MUTANTS, ids=NAMED)
def test_it_still_applies_and_its_tests_are_there(mutant: Mutant) -> None:
    compile(broken(mutant, house.text(Path(mutant.file))), mutant.file, "exec")
    for test in mutant.tests:
        file, _, name = test.partition("::")
        assert f"def {name}(" in house.text(Path(file)) or not name


def test_a_mutant_that_does_not_apply_is_told() -> None:
    mutant = MUTANTS[0]._replace(edits=(("never written", ""),))
    with pytest.raises(DoesNotApply, match="found 0 times"):
        broken(mutant, house.text(Path(mutant.file)))


def test_the_copy_is_what_runs() -> None:
    with copied() as root:
        assert Path(where(root)).is_relative_to(root.resolve())


@pytest.mark.parametrize("name", FAST)
def test_the_suite_turns_red(name: str) -> None:
    noticed, said = is_noticed(NAMED[name])
    assert noticed, said


@pytest.mark.slow
@pytest.mark.timeout(330)
@pytest.mark.parametrize("name", [name for name, one in NAMED.items() if name not in FAST and not one.postgres])
def test_the_suite_turns_red_with_each(name: str) -> None:
    noticed, said = is_noticed(NAMED[name])
    assert noticed, said


@pytest.mark.slow
@pytest.mark.timeout(330)
@pytest.mark.parametrize("name", [name for name, one in NAMED.items() if one.postgres])
def test_the_suite_turns_red_on_several_nodes(name: str, postgres_server: object) -> None:
    noticed, said = is_noticed(NAMED[name])
    assert noticed, said
