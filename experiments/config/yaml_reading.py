"""YAML as experiment files are read: whole numbers as in YAML 1.2, or nearly, and nothing too large for a file.

YAML 1.1 takes 1:30 for ninety and 010 for eight, and the time it takes for the first grows with the square of its
length. Here whole numbers are digits (with or without underscores, the first no 0) or 0x with hexadecimal ones; all
else that looks like a number is text, such as an id 0012, which is another than 12. A key that wants a number takes
text in which Python reads one. What is a number here is one for YAML 1.1 as well, so text that `yaml.safe_dump` wrote
without quotation marks stays text.
"""

from __future__ import annotations

import re
from typing import Any

import yaml

MOST_BYTES = 2**20
"""Of a file; the largest that make sense have some thousands."""
_MOST_CHARACTERS = 100_000
"""Of one value."""

_MOST_DIGITS = 1_000
"""Of a whole number; Python itself reads some thousands."""

_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9_]*|0x[0-9a-fA-F]+)$")
_DECIMAL = re.compile(
    r"(?:[-+]?(?:[0-9][0-9_]*\.[0-9_]*|\.[0-9][0-9_]*)(?:[eE][-+][0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$"
)
_REPLACED = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")


class Loader(yaml.SafeLoader):
    """Reads values; see the module."""

    def compose_scalar_node(self, anchor: Any) -> yaml.ScalarNode:
        """A value, refused where it is too long before anybody makes sense of it."""
        event: yaml.ScalarEvent = self.peek_event()  # type: ignore[no-untyped-call]
        if len(event.value) > _MOST_CHARACTERS:
            problem = f"a value of {len(event.value):,} characters; expected {_MOST_CHARACTERS:,} at most"
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=event.start_mark)  # type: ignore[arg-type]
        return super().compose_scalar_node(anchor)

    def construct_object(self, node: Any, deep: bool = False) -> Any:
        """A value; one out of range (a 31st of June), or not of its tag (`!!bool x`), is told with its line."""
        try:
            return super().construct_object(node, deep)
        except ValueError as fault:
            raise yaml.MarkedYAMLError(problem=str(fault), problem_mark=node.start_mark) from None
        except (LookupError, AttributeError, TypeError):
            kind = node.tag.rpartition(":")[2]
            raise yaml.MarkedYAMLError(problem=f"a value that is no {kind}", problem_mark=node.start_mark) from None


def parse(text: str) -> Any:
    """The values of a text.

    Raises:
        yaml.YAMLError: It is no YAML, or a value is too long or out of range.
        RecursionError: It is nested too deeply.
    """
    return yaml.load(text, Loader=Loader)  # noqa: S506 - a safe loader


def compose(text: str) -> yaml.Node | None:
    """The nodes of a text, which know their lines; raises as `parse`."""
    return yaml.compose(text, Loader=Loader)


def _integer(loader: Loader, node: yaml.ScalarNode) -> int:
    digits = str(loader.construct_scalar(node)).replace("_", "")
    if len(digits) > _MOST_DIGITS:
        raise ValueError(f"a whole number of {len(digits):,} digits; expected {_MOST_DIGITS:,} at most")
    return int(digits, 16 if "x" in digits else 10)


Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag not in _REPLACED]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
Loader.add_implicit_resolver("tag:yaml.org,2002:float", _DECIMAL, list("-+0123456789."))
Loader.add_implicit_resolver("tag:yaml.org,2002:int", _INTEGER, list("-+0123456789"))
Loader.add_constructor("tag:yaml.org,2002:int", _integer)
