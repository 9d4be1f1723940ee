"""The report of a run: one HTML file that needs nothing else, and its pictures as PNG.

The page answers first: `sections/` has one module per section, in the order of `SECTIONS`, and `templates/` one
template, style sheet and script of the same name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import replace
from pathlib import Path
from typing import Any

from groundlings.environments.cleaning import printable
from groundlings.experiments.analysis.answer.file import write_answer
from groundlings.experiments.analysis.comparison.comparing import compare_outcomes, read_variants
from groundlings.experiments.analysis.comparison.fidelity_gate import find_gate, find_truth
from groundlings.experiments.analysis.comparison.outcomes import Outcomes, read_outcomes
from groundlings.experiments.analysis.comparison.real_behaviour import beside
from groundlings.experiments.analysis.hybrid.findings import find_hybrid
from groundlings.experiments.analysis.metrics import Summary
from groundlings.experiments.analysis.report import (
    formatting,
    hybrid_sentences,
    objective_sentences,
    real_sentences,
    verdict_sentences,
)
from groundlings.experiments.analysis.report.glossary import glossary
from groundlings.experiments.analysis.report.palette import styles
from groundlings.experiments.analysis.report.sections.answer import answer_section
from groundlings.experiments.analysis.report.sections.believe import believe_section
from groundlings.experiments.analysis.report.sections.details import details_section
from groundlings.experiments.analysis.report.sections.material import MakeSection, Material, Section, Volume
from groundlings.experiments.analysis.report.sections.over_time import time_section
from groundlings.experiments.analysis.report.sections.people import people_section
from groundlings.experiments.analysis.report.sections.results import results_section
from groundlings.experiments.analysis.report.sections.whom import whom_section
from groundlings.experiments.analysis.report.sections.why import why_section
from groundlings.experiments.analysis.report.skeleton import frame, page_environment
from groundlings.experiments.analysis.report.studio import Order
from groundlings.experiments.archive import directory as files
from groundlings.experiments.archive.log_check import SOME_ROWS, check_log, warn_of_changes
from groundlings.simulator.log.reader import LogReader

SECTIONS: Mapping[str, tuple[str, MakeSection]] = {
    "answer": ("The answer", answer_section),
    "why": ("Why", why_section),
    "whom": ("For whom", whom_section),
    "people": ("People", people_section),
    "time": ("Over time", time_section),
    "believe": ("Can I believe it?", believe_section),
    "results": ("All results", results_section),
    "details": ("Details", details_section),
}
"""Id of each section, in the order of the page -> its name in the list of contents, and what makes it."""

SCRIPTS = ("page.js", "choose.js", "people.js")
"""Files of script in the page, beside the templates."""


_THREADS = 2
"""Sections that are made at a time: most of it is waiting for the log's answers."""

_MADE_FIRST = ("why", "results", "time", "whom")
"""The section that takes longest to make, and those that are soon made and whose pictures take longest to draw: a
studio draws them while the others are made."""


def write_report(
    run_dir: Path,
    log: LogReader,
    summary: Summary,
    material: Material | None = None,
    told: Callable[[int, int], None] | None = None,
) -> Path:
    """Write `report.html`, `answer.json`, `metrics.png`, `pages.png` and, where there is something to show,
    `daily.png`, `days.png`, `effects.png`, `pareto.png`, `people.png` and `retention.png`.

    Args:
        run_dir: The run directory; its `manifest.json` is read when there is one.
        log: The run's.
        summary: What `metrics.summarise` made of it.
        material: What `read_material` read of the same run; read here, of this run alone, where it is absent.
        told: Is called with how many steps are over, and how many there are.

    Returns:
        Where the page lies.
    """
    return _write_page(read_material(run_dir, log, summary) if material is None else material, told)


def _write_page(material: Material, told: Callable[[int, int], None] | None) -> Path:
    run_dir, summary = material.run_dir, material.summary
    tell = told or (lambda *_: None)
    note = f"{formatting.opening(summary, material.split)} {formatting.NOT_VALIDATED.capitalize()}."
    order = Order(material.style, note)
    sections = _made(material, order, lambda done: tell(done, 2 * len(SECTIONS)))
    context = common_context(material)
    drawings = order.drawn(lambda done, of: tell(len(SECTIONS) + round(len(SECTIONS) * done / of), 2 * len(SECTIONS)))
    context["pictures"], context["keys"] = {}, drawings.keys
    for picture in (picture for section in sections for picture in section.pictures):
        drawn = drawings.pictures[picture.name]
        files.write_bytes(run_dir / f"{picture.name}.png", drawn.png)
        context["pictures"][picture.name] = drawn.inline
    for section in sections:
        if shared := context.keys() & section.context.keys():
            raise RuntimeError(f"two sections of the report give templates the same names: {sorted(shared)}")
        context |= section.context
    path = run_dir / files.REPORT_NAME
    environment = page_environment()
    context |= frame(environment, _contents(context), SCRIPTS)
    page = environment.get_template("report.html.j2").render(context)
    files.write_text(path, printable(page, newlines=True))
    write_answer(run_dir, material.answer)
    tell(1, 1)
    return path


def _made(material: Material, order: Order, told: Callable[[int], None]) -> list[Section]:
    """The sections in the order of the page; of each thread that makes them the log has a connection.

    Args:
        material: What they look at.
        order: Is told of the pictures of each section that is made.
        told: Is called with how many sections are made.
    """
    in_turn = dict.fromkeys((*_MADE_FIRST, *SECTIONS))
    with ThreadPoolExecutor(_THREADS) as threads:
        making = {name: threads.submit(SECTIONS[name][1], material) for name in in_turn}
        try:
            for done, section in enumerate(as_completed(making.values())):
                told(done)
                if section.exception() is None:
                    order.add(section.result().pictures)
            return [making[name].result() for name in SECTIONS]
        finally:
            threads.shutdown(wait=False, cancel_futures=True)


def _contents(context: Mapping[str, Any]) -> dict[str, str]:
    """The sections that the page has."""
    shown = {"segments", "people"} & context["pictures"].keys()
    return {name: label for name, (label, _) in SECTIONS.items() if name != "whom" or shown}


def read_material(
    run_dir: Path,
    log: LogReader,
    summary: Summary,
    variants: Sequence[LogReader] = (),
    most_rows: int | None = SOME_ROWS,
    fidelity: Path | None = None,
    truth: Path | None = None,
    outcomes: Outcomes | None = None,
) -> Material:
    """What a report is made of.

    Args:
        run_dir: The run directory.
        log: The run's.
        summary: What `metrics.summarise` made of it.
        variants: Logs of the same experiment with other prompts, models or seeds, which the verdict hears.
        most_rows: About how many rows are read to see whether the log is as it was written; all where it is None.
        fidelity, truth: Files of the labs, or the directories that hold them; those in the run directory if absent.
        outcomes: What was read of its users before; read here if absent.
    """
    # Imported here, because answers are put in the words of this package.
    from groundlings.experiments.analysis.answer.answering import answer_of

    outcomes = replace(outcomes or read_outcomes(log, summary.metrics), changes=check_log(run_dir, log, most_rows))
    if outcomes.changes is not None:
        warn_of_changes(outcomes.changes, run_dir)
    data_and_mind = (outcomes.run["dataset_hash"], outcomes.run["mind"])
    gate, order = find_gate(run_dir, fidelity, *data_and_mind), find_truth(run_dir, truth, *data_and_mind)
    others = read_variants(variants, summary.metrics, most_rows)
    comparison = compare_outcomes(outcomes, gate, others, *beside(run_dir), order)
    comparison = replace(comparison, hybrid=find_hybrid(run_dir, log, outcomes))
    question, own = str(log.run()["config"].get("question") or ""), files.own_recommenders(files.read_manifest(run_dir))
    answer = answer_of(comparison, summary, question, own_words=own)
    volume = _volume(summary, others, variants)
    return Material(run_dir, log, summary, outcomes, comparison, styles(summary), answer, volume, fidelity, truth)


def _volume(summary: Summary, others: Sequence[Outcomes], logs: Sequence[LogReader]) -> Volume:
    """Of a run and of the others of the same experiment, whose logs stand in the same order."""
    counts = [arm.counts for arm in summary.arms]
    further = [arm.totals.columns for run in others for arm in run.arms]

    def whole(name: str) -> int:
        return round(sum(float(columns[name].sum()) for columns in further))

    return Volume(
        runs=1 + len(others),
        sessions=sum(each.sessions for each in counts) + whole("sessions"),
        impressions=sum(each.impressions for each in counts) + whole("shown"),
        clicks=sum(each.clicks for each in counts) + whole("clicks"),
        calls=sum(each.calls for each in counts) + round(sum(float(log.call_totals().calls.sum()) for log in logs)),
    )


def common_context(material: Material) -> dict[str, Any]:
    """What the head of the page and every section may name."""
    summary = material.summary
    return {
        "summary": summary,
        "run": summary.run,
        "metrics": summary.metrics,
        "style": material.style,
        "comparison": material.comparison,
        "say": formatting,
        "words": verdict_sentences,
        "real": real_sentences,
        "several": objective_sentences,
        "hybrid": hybrid_sentences,
        "glossary": glossary(summary),
        "volume": material.volume,
        "description": str(material.log.run()["config"].get("description", "")),
    }
