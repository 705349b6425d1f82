"""YAML, read more strictly than the language asks for: what may be a mistake is none of its conveniences.

Rule: what a short text stands for stays in proportion: aliases multiply ("billion laughs"), and are counted first.
"""

from typing import Any

import yaml

MOST_VALUES = 20_000
"""Keys among them, and those that aliases stand for. A thousand numbers of one endpoint are 6,000."""


class _Loader(yaml.SafeLoader):
    """Knows that of two equal keys one would be lost in silence."""


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    keys = [loader.construct_object(key) for key, _ in node.value]
    for place, key in enumerate(keys):
        if key in keys[:place]:
            raise _wrong(f"the key {key!r} stands twice", node.value[place][0])
    return loader.construct_mapping(node, deep=True)


_Loader.add_constructor("tag:yaml.org,2002:map", _mapping)


def read(text: str) -> Any:
    """Raises yaml.YAMLError; also TypeError, ValueError and RecursionError for what the library does not expect."""
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        _count(node, {})
        return loader.construct_document(node)
    finally:
        loader.dispose()


def _count(node: yaml.Node, counts: dict[yaml.Node, int]) -> int:
    """How many values it stands for. `counts`: those of the nodes seen before; 0 while one is being counted."""
    if node in counts:
        if not counts[node]:
            raise _wrong("an alias stands for something that holds it", node)
        return counts[node]
    counts[node] = 0
    inside = node.value if isinstance(node, yaml.CollectionNode) else ()
    parts = inside if isinstance(node, yaml.SequenceNode) else (part for pair in inside for part in pair)
    counts[node] = 1 + sum(_count(part, counts) for part in parts)
    if counts[node] > MOST_VALUES:
        raise _wrong(f"this is more than {MOST_VALUES:,} values, those of aliases (`*name`) counted each time", node)
    return counts[node]


def _wrong(problem: str, node: yaml.Node) -> yaml.MarkedYAMLError:
    return yaml.constructor.ConstructorError(None, None, problem, node.start_mark)
