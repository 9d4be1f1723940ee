"""From values to HTML: templates that escape everything, and the policy under which a report may run its script."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from starlette.responses import HTMLResponse

from groundlings.environments.cleaning import printable
from groundlings.experiments.analysis.report.formatting import count, decimal, plural, signed
from groundlings.experiments.analysis.report.palette import DARK, LIGHT
from groundlings.experiments.ui.guard import POLICY

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup


STYLED = POLICY.replace("style-src 'self'", "style-src 'self' 'unsafe-inline'")
"""The policy for pages whose bars have their lengths in `style`."""


def page(template: str, status: int = 200, policy: str | None = None, **values: Any) -> HTMLResponse:
    """An answer made of a template.

    Args:
        template: Its name under `templates`.
        status: Of HTTP.
        policy: What the page may load; as all pages of the web app if absent.
        **values: What stands in it; all of it is escaped.
    """
    text = _environment().get_template(template).render(**values)
    headers = None if policy is None else {"content-security-policy": policy}
    return HTMLResponse(printable(text, newlines=True), status_code=status, headers=headers)


@cache
def report_policy(*, matrix: bool = False) -> str:
    """The policy for a report: its own styles, and no script but exactly ours: a stranger's report runs none.

    Args:
        matrix: Whether it is the page of a matrix, whose script is shorter.
    """
    from groundlings.experiments.analysis.matrix.page import SCRIPTS as OF_A_MATRIX
    from groundlings.experiments.analysis.report.page import SCRIPTS
    from groundlings.experiments.analysis.report.skeleton import frame, page_environment

    scripts = OF_A_MATRIX if matrix else SCRIPTS
    return f"{frame(page_environment(), {}, scripts)['policy']}; frame-ancestors 'none'"


@cache
def story_styles() -> str:
    """The style sheets of the report, for a user's day outside of it."""
    from groundlings.experiments.analysis.report.skeleton import REPORT_ROOM

    room = files(REPORT_ROOM).joinpath("templates")
    palette = "; ".join(f"--{name}: {code}" for name, code in LIGHT.items())
    dark = "; ".join(f"--{name}: {code}" for name, code in DARK.items())
    sheets = "\n".join(room.joinpath(name).read_text(encoding="utf-8") for name in ("people.css",))
    return f":root {{ {palette} }}\n@media (prefers-color-scheme: dark) {{ :root {{ {dark} }} }}\n{sheets}"


@cache
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("groundlings.experiments.ui"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.filters |= {"count": count, "decimal": decimal, "signed": signed, "plural": plural}
    environment.filters |= {"duration": duration, "typed": typed}
    environment.globals |= {"light": LIGHT, "dark": DARK}
    return environment


def typed(text: str) -> Markup:
    """What somebody typed, for the field that it stood in: as HTML that reads back as the same text, tabs included."""
    from markupsafe import Markup, escape

    return Markup("\n") + escape(text).replace("\t", Markup("&#9;"))


def duration(seconds: float) -> str:
    """A time to wait, in words that are as exact as it is known."""
    if seconds < 60:
        return f"{max(seconds, 1):.0f} s"
    if seconds < 3600:
        return f"{seconds / 60:.0f} min"
    return f"{seconds // 3600:.0f} h {seconds % 3600 / 60:02.0f} min"
