"""What the pages of all labs share: the frame of the run report, and the answer that stands first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from groundlings.environments.cleaning import printable
from groundlings.experiments.analysis.report.claims import Claim
from groundlings.experiments.analysis.report.formatting import plural
from groundlings.experiments.analysis.report.sections.details import plain_facts
from groundlings.experiments.analysis.report.skeleton import frame, page_environment


def render_lab_page(room: str, template: str, contents: Mapping[str, str], context: Mapping[str, Any]) -> str:
    """A lab's page as text, in the frame of the run report.

    Args:
        room: Package of the lab, which has a folder `templates`.
        template: Name of the page's template there.
        contents: Id of each section -> its name in the list of contents.
        context: What the template reads.
    """
    environment = page_environment(room)
    whole = {**frame(environment, contents), "glossary": {}, "facts_of": plain_facts, **context}
    return printable(environment.get_template(template).render(whole), newlines=True)


def answer_of_claims(passed: bool, claims: Sequence[Claim]) -> tuple[str, str]:
    """The answer of a lab in one word and a sentence: whether the gate is passed, by the claim that it is about.

    Args:
        passed: Whether the agents passed the gate.
        claims: What was found, the one about the order of recommenders first.
    """
    head = "Yes" if passed else "Not yet"
    if not claims:
        return head, "The agents passed the gate." if passed else "The agents did not pass the gate."
    good = sum(claim.good for claim in claims)
    first = claims[0]
    gate = "" if passed else "; the gate of the lab is not passed"
    return head, f"{first.words.rstrip('.')} ({first.beside}). {good} of {plural(len(claims), 'claim')} hold{gate}."
