"""What is YAML and would still do harm: values that multiply, that hold themselves, keys that stand twice."""

import pytest
import yaml

from gateway import strict_yaml
from gateway.strict_yaml import read


def laughs(levels: int, first: str = "[x, x, x, x, x, x, x, x, x, x]") -> str:
    """Each line stands for ten of the one above it."""
    lines = [f"l0: &l0 {first}"]
    lines += [f"l{level}: &l{level} [{', '.join([f'*l{level - 1}'] * 10)}]" for level in range(1, levels)]
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (laughs(5), 5),
        (laughs(200), 5),
        (laughs(4) + "\nz: {a: *l3, b: *l3}", 5),
        ("a: &a [*a]", 1),
        ("a: 1\nb: &b {c: [{d: *b}]}", 2),
    ],
    ids=["laughs", "many", "in a mapping", "itself", "deep itself"],
)
def test_what_multiplies_is_refused_with_its_line(text: str, line: int) -> None:
    with pytest.raises(yaml.MarkedYAMLError) as caught:
        read(text)
    assert caught.value.problem_mark is not None
    assert caught.value.problem_mark.line + 1 == line


def test_aliases_in_reason_are_what_they_stand_for() -> None:
    assert read("a: &a {x: 1}\nb: [*a, *a]\nc: *a") == {"a": {"x": 1}, "b": [{"x": 1}, {"x": 1}], "c": {"x": 1}}
    assert len(read(laughs(4))["l3"]) == 10


def test_the_limit_holds_without_aliases_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strict_yaml, "MOST_VALUES", 5)
    assert read("a: [b, c]") == {"a": ["b", "c"]}
    with pytest.raises(yaml.MarkedYAMLError, match="more than 5 values"):
        read("a: [b, c, d]")


@pytest.mark.parametrize(
    ("text", "value"), [("", None), ("# nothing", None), ("x", "x"), ("[]", []), ("{a: {}}", {"a": {}})]
)
def test_little_is_read_as_it_is(text: str, value: object) -> None:
    assert read(text) == value


def test_a_key_that_stands_twice_is_refused() -> None:
    with pytest.raises(yaml.MarkedYAMLError, match="the key 'a' stands twice"):
        read("b: {a: 1, c: 2, a: 3}")
