"""The page on conversing recommenders: its own system does what the page says, and keeps the promises."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import ModuleType

from groundlings.environments.conversation.attributes import Requirement
from groundlings.environments.conversation.wording import sentence
from groundlings.recommenders.conversation.contract import toy_briefing

TEXT = (Path(__file__).parents[3] / "docs" / "conversation.md").read_text(encoding="utf-8")
BLOCKS = dict(re.findall(r'```python title="(\w+)\.py"\n(.*?)```', TEXT, flags=re.DOTALL))


def module(name):
    made = ModuleType(name)
    sys.modules[name] = made
    exec(compile(BLOCKS[name], name, "exec"), made.__dict__)
    return made


module("my_chat")
TestCheapest = module("test_my_chat").TestCheapest


def test_the_cheapest_suitable_item_is_named_first():
    said = sentence([Requirement("department", "==", "bakery")])
    assert TestCheapest().moves(toy_briefing(), said, [])[0].item == "i1"
