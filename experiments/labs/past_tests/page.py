"""Agreement with past tests as one HTML file that needs nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from groundlings.experiments.analysis.report.lab_page import render_lab_page
from groundlings.experiments.analysis.report.palette import LIGHT
from groundlings.experiments.analysis.report.svg import svg
from groundlings.experiments.labs.past_tests.lab import PUBLISHED, Findings, as_effects
from groundlings.experiments.labs.past_tests.terminal import conclusion, figure, interval

if TYPE_CHECKING:
    from groundlings.experiments.analysis.report.svg import Draw

_LABEL = "Real against simulated effects with 95 % intervals, and the line where they are equal."


def render_page(findings: Findings) -> str:
    """The page as text."""
    slope = findings.slope
    known = slope is not None and slope.low is not None
    predicts = slope is not None and slope.low is not None and slope.low > 0
    return render_lab_page(
        "groundlings.experiments.labs.past_tests",
        "validate.html.j2",
        {"figures": "Agreement", "tests": "Every test"},
        {
            "lab_name": "past tests",
            "run_name": findings.about["table"],
            "question": "Do simulated effects predict what real tests found?",
            "answer": ("Yes" if predicts else "Not shown" if known else "Not known", f"{conclusion(findings)}."),
            "about": findings.about,
            "findings": findings,
            "rows": findings.as_dict()["tests"],
            "picture": svg(draw_effects(findings), "past-tests", _LABEL, 6.0, 4.8),
            "published": PUBLISHED,
            "figure": figure,
            "interval": interval,
        },
    )


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
