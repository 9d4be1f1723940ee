"""The frame that every page stands in: head, contents, style, script, and a policy that allows nothing else."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from groundlings.experiments.analysis.report.palette import DARK, LIGHT

if TYPE_CHECKING:
    from jinja2 import Environment

REPORT_ROOM = "groundlings.experiments.analysis.report"
MOST_SCRIPT = 40_000
"""Bytes of script that a page may hold in all."""


@cache
def page_environment(*rooms: str) -> Environment:
    """Where templates are found: in the `templates` of the rooms named, then in those of the report. It is shared.

    Args:
        rooms: Packages with a folder `templates`, such as that of a lab.
    """
    from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

    from groundlings.experiments.analysis.report.template_cache import TemplateCache

    loaders = [PackageLoader(room) for room in (*rooms, REPORT_ROOM)]
    environment = Environment(
        loader=ChoiceLoader(loaders),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        bytecode_cache=TemplateCache(),
    )
    environment.filters["capitalise_first"] = lambda text: text[:1].upper() + text[1:]
    return environment


def frame(
    environment: Environment, contents: Mapping[str, str], scripts: Sequence[str] = ("page.js",)
) -> dict[str, Any]:
    """What `skeleton.html.j2` needs: contents, colours, the script and the policy that allows it alone.

    Args:
        environment: As `page_environment` makes it.
        contents: Id of each section -> its name in the list of contents.
        scripts: Files beside the templates, in the order in which they run.

    Raises:
        RuntimeError: The script is larger than `MOST_SCRIPT`.
    """
    from markupsafe import Markup

    script = "\n".join(_source(environment, name) for name in scripts)
    if len(script.encode()) > MOST_SCRIPT:
        raise RuntimeError(
            f"the script of a page has {len(script.encode()):,} bytes; at most {MOST_SCRIPT:,} may be in it"
        )
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return {
        "contents": contents,
        "light": LIGHT,
        "dark": DARK,
        # A script of our own that holds no text of a user; autoescape must leave its operators alone.
        "script": Markup(script),  # noqa: S704
        "policy": (
            f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; img-src data: blob:; "
            "connect-src 'self'; base-uri 'none'; form-action 'none'"
        ),
    }


def _source(environment: Environment, name: str) -> str:
    if environment.loader is None:
        raise RuntimeError("an environment without a loader has no templates")
    return environment.loader.get_source(environment, name)[0]
