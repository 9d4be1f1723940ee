"""Versioned prompt texts: Markdown files whose hash goes into the log with every call.

A file `verdict.md` begins with a line `version: N` and holds sections, each under a heading `# name`. `$word` marks
where values go in; values are put in once and never looked through again, so a title that contains `$person` stays
what it is. Whoever changes a text raises its version: a test holds the two together.

    agent.md        who the agent is, what it remembers, how it feels, what is before it: in every prompt
    verdict.md      one reply a page
    graded.md       one-token questions, read as probabilities
    reflection.md   what an agent makes of its last sessions
    interview.md    questions after a session
    talk.md         what an agent says in a conversation, in a model's words
    social.md       what an agent does before a site, and what it tells whom
    latest.md       what the agent met last, named one by one
    popularity.md   how many items are less known than one
    metadata.md     a line about an item that has no text
    history.md      what the agent did before, and whether it likes an item: where the data have kinds of events, likes
                    or no ratings; `HEADING_WORDING` is the section in other words
    noted.md        what an agent noted about itself while it learnt for a recommender
    plain.md, story.md   the same told in other words: their sections take the place of those above
"""

from __future__ import annotations

import hashlib
from functools import cache

from groundlings.environments.prompts import Prompt, read_prompt

__all__ = ["Prompt", "load_prompt", "worded_prompt"]


@cache
def load_prompt(*names: str) -> Prompt:
    """The sections of `personas/prompts/NAME.md` for all names together; no section may stand in two of them."""
    return read_prompt(__package__, *names)


@cache
def worded_prompt(wording: str, *names: str) -> Prompt:
    """As `load_prompt`, told in other words: an effect that depends on the words is not about recommenders.

    Sections of `WORDING.md` take the place of those of the same name, and the one named like the first of the files
    takes the place of `shared`, the instruction.

    Args:
        wording: `standard` for the files as they are, or another wording of them.
        names: As for `load_prompt`.
    """
    prompt = load_prompt(*names)
    if wording == "standard":
        return prompt
    other = load_prompt(wording)
    worded = {**prompt.sections, **other.sections}
    sections = {name: worded.get(f"{name}_{wording}", worded[name]) for name in prompt.sections}
    sections["shared"] = other.sections[names[0]]
    sha256 = hashlib.sha256(f"{prompt.sha256} {other.sha256}".encode()).hexdigest()
    return Prompt(f"{prompt.name}+{other.name}", sha256, sections)
