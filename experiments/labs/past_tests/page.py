"""Agreement with past tests as one HTML file that needs nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from groundlings.environments.cleaning import printable
from groundlings.experiments.analysis.report.palette import DARK, LIGHT
from groundlings.experiments.analysis.report.svg import svg
from groundlings.experiments.labs.past_tests.lab import PUBLISHED, Findings, as_effects
from groundlings.experiments.labs.past_tests.terminal import conclusion, figure, interval

if TYPE_CHECKING:
    from jinja2 import Template

    from groundlings.experiments.analysis.report.svg import Draw

_LABEL = "Real against simulated effects with 95 % intervals, the identity line and the fitted slope."


def render_page(findings: Findings) -> str:
    """The page as text."""
    page = _template().render(
        about=findings.about,
        findings=findings,
        rows=findings.as_dict()["tests"],
        conclusion=conclusion(findings),
        picture=svg(draw_effects(findings), "past-tests", _LABEL, 6.0, 4.8),
        published=PUBLISHED,
        figure=figure,
        interval=interval,
        light=LIGHT,
        dark=DARK,
    )
    return printable(page, newlines=True)


def draw_effects(findings: Findings) -> Draw:
    """One point per test, real effect upwards, with both intervals, the identity line and the slope."""
    effects = as_effects(findings.tests, findings.simulated)

    def draw(axes: Any) -> None:
        axes.errorbar(
            effects.simulated, effects.real, xerr=1.96 * effects.simulated_error, yerr=1.96 * effects.real_error,
            fmt="o", markersize=4, color=LIGHT["arm-1"], ecolor=LIGHT["bound"], elinewidth=1,
        )  # fmt: skip
        ends = np.array([min(effects.simulated.min(), 0.0), max(effects.simulated.max(), 0.0)])
        axes.plot(ends, ends, color=LIGHT["muted"], linestyle="--", linewidth=1, label="real = simulated")
        if findings.slope is not None:
            axes.plot(ends, findings.slope.value * ends, color=LIGHT["ink"], linewidth=1.2, label="fitted slope")
        axes.axhline(0, color=LIGHT["rule"], linewidth=0.8)
        axes.axvline(0, color=LIGHT["rule"], linewidth=0.8)
        axes.set_xlabel(f"simulated effect ({findings.scale})", color=LIGHT["muted"])
        axes.set_ylabel(f"real effect ({findings.scale})", color=LIGHT["muted"])
        axes.legend(fontsize=8)

    return draw


def _template() -> Template:
    from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

    # The style sheet is that of the run report, so that all pages look alike.
    loaders: list[Any] = [
        PackageLoader("groundlings.experiments.labs.past_tests"),
        PackageLoader("groundlings.experiments.analysis.report"),
    ]
    environment = Environment(
        loader=ChoiceLoader(loaders), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template("validate.html.j2")
