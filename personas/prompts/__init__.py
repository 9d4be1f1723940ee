"""Versioned prompt texts: Markdown files whose hash goes into the log with every call.

A file `page.md` begins with a line `version: N` and holds sections, each under a heading `# name`. `$word` marks
where values go in; values are put in once and never looked through again, so a title that contains `$person` stays
what it is. Whoever changes a text raises its version: a test holds the two together.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from string import Template

_VERSION = re.compile(r"version: (\d+)\n")
_HEADING = re.compile(r"^# (\w+)\n", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Prompt:
    """One prompt file.

    Attributes:
        name: Name and version ("page-1"), as the log has it.
        sha256: Of the file's text, in hexadecimal.
        sections: Heading -> text.
    """

    name: str
    sha256: str
    sections: Mapping[str, Template]

    def fill(self, section: str, **values: object) -> str:
        """The text of a section; a marker without a value, or a section that is not there, is a KeyError."""
        return self.sections[section].substitute(values)


@cache
def load_prompt(name: str) -> Prompt:
    """The prompt in `personas/prompts/NAME.md`."""
    text = files(__package__).joinpath(f"{name}.md").read_text(encoding="utf-8")
    version = _VERSION.match(text)
    if version is None:
        raise ValueError(f"{name}.md must begin with a line `version: N`")
    _, *parts = _HEADING.split(text)
    sections = {heading: Template(body.strip()) for heading, body in zip(parts[::2], parts[1::2], strict=True)}
    return Prompt(f"{name}-{version[1]}", hashlib.sha256(text.encode()).hexdigest(), sections)
