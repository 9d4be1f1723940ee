"""What a report is made of, and what each of its sections gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from groundlings.experiments.analysis.answer.values import Answer
from groundlings.experiments.analysis.comparison.effects import Comparison
from groundlings.experiments.analysis.comparison.outcomes import Outcomes
from groundlings.experiments.analysis.metrics import Summary
from groundlings.experiments.analysis.metrics.declaration import Metric
from groundlings.experiments.analysis.report import verdict_sentences
from groundlings.experiments.analysis.report.palette import Style
from groundlings.experiments.analysis.report.pictures import Picture
from groundlings.experiments.config.designs import SplitDesign
from groundlings.simulator.log.reader import LogReader


@dataclass(frozen=True, slots=True)
class Volume:
    """How much was simulated, all arms and all runs of the experiment together.

    Attributes:
        runs: One, or one per combination of seeds, prompts and models.
        sessions, impressions, clicks: As logged.
        calls: To a language model.
    """

    runs: int
    sessions: int
    impressions: int
    clicks: int
    calls: int


@dataclass(frozen=True, slots=True)
class Material:
    """What every section may look at; read once per report.

    Attributes:
        run_dir: The run directory.
        log: The run's.
        summary: What `metrics.summarise` made of the log.
        outcomes: Each agent's totals by arm.
        comparison: What `compare_outcomes` made of them.
        style: Arm name -> how it is drawn.
        answer: What the run answers.
        volume: How much was simulated.
        fidelity, truth: Files of the labs that were named; None = those in the run directory, if there are any.
    """

    run_dir: Path
    log: LogReader
    summary: Summary
    outcomes: Outcomes
    comparison: Comparison
    style: Mapping[str, Style]
    answer: Answer
    volume: Volume
    fidelity: Path | None = None
    truth: Path | None = None

    @property
    def split(self) -> bool:
        """Whether each agent was in one arm only."""
        return isinstance(self.outcomes.design, SplitDesign)

    @property
    def primary(self) -> Metric:
        """The metric that decides, or stands first where none was declared."""
        return verdict_sentences.primary(self.comparison)


@dataclass(frozen=True, slots=True)
class Section:
    """What a section adds to the page.

    Attributes:
        context: Names that its template reads; no two sections share one.
        pictures: What is drawn for it, also written as PNG.
    """

    context: Mapping[str, Any] = field(default_factory=dict)
    pictures: tuple[Picture, ...] = ()


MakeSection = Callable[[Material], Section]
