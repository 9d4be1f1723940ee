"""The page of a lab or of an export, in the frame of the run report: a question, its answer, and what follows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from groundlings.environments.cleaning import printable
from groundlings.experiments.analysis.report.sections.details import plain_facts
from groundlings.experiments.analysis.report.skeleton import frame, page_environment


def render_lab_page(room: str, template: str, contents: Mapping[str, str], context: Mapping[str, Any]) -> str:
    """A lab's page as text, in the frame of the run report.

    Args:
        room: Package of the lab, which has a folder `templates`.
        template: Name of the page's template there.
        contents: Id of each section -> its name in the list of contents.
        context: What the template reads: `question`, `answer` (a word or two, and a sentence), `lab_name` and
            `run_name` for the head, and its own.
    """
    environment = page_environment(room)
    whole = {**frame(environment, contents), "glossary": {}, "facts_of": plain_facts, **context}
    return printable(environment.get_template(template).render(whole), newlines=True)
