"""From values to HTML: templates that escape everything, and the policy under which a report may run its script."""

from __future__ import annotations

import base64
import hashlib
import time
from functools import cache
from typing import TYPE_CHECKING, Any

from starlette.responses import HTMLResponse

from groundlings.environments.cleaning import printable
from groundlings.experiments.analysis.report.formatting import count, decimal, signed
from groundlings.experiments.analysis.report.palette import DARK, LIGHT

if TYPE_CHECKING:
    from jinja2 import Environment


def page(template: str, status: int = 200, **values: Any) -> HTMLResponse:
    """An answer made of a template.

    Args:
        template: Its name under `templates`.
        status: Of HTTP.
        **values: What stands in it; all of it is escaped.
    """
    text = _environment().get_template(template).render(**values)
    return HTMLResponse(printable(text, newlines=True), status_code=status)


@cache
def report_policy() -> str:
    """The policy for a report: its own styles, and no script but exactly ours: a stranger's report runs none."""
    return (
        f"default-src 'none'; style-src 'unsafe-inline'; script-src {_shipped_script()}; connect-src 'self'; "
        "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def _shipped_script() -> str:
    return "'none'"


def _hash(script: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"


@cache
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("groundlings.experiments.ui"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.filters |= {"count": count, "decimal": decimal, "signed": signed, "duration": duration}
    environment.globals |= {"light": LIGHT, "dark": DARK, "now": time.time}
    return environment


def duration(seconds: float) -> str:
    """A time to wait, in words that are as exact as it is known."""
    if seconds < 60:
        return f"{max(seconds, 1):.0f} s"
    if seconds < 3600:
        return f"{seconds / 60:.0f} min"
    return f"{seconds // 3600:.0f} h {seconds % 3600 / 60:02.0f} min"
