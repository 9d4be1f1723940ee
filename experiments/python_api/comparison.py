"""A comparison as an object: the verdict, the effects as a data frame, and as text what the terminal says."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from groundlings.environments.errors import ConfigError, RunDirectoryError, shown
from groundlings.environments.paths import handed_over
from groundlings.experiments.analysis.answer.answering import answer_of
from groundlings.experiments.analysis.answer.values import Answer
from groundlings.experiments.analysis.comparison.comparing import compare_run
from groundlings.experiments.analysis.comparison.effects import ArmFindings
from groundlings.experiments.analysis.comparison.effects import Comparison as Findings
from groundlings.experiments.analysis.comparison.fidelity_gate import FIDELITY_NAME, TRUTH_NAME
from groundlings.experiments.analysis.comparison.verdict import Word
from groundlings.experiments.analysis.metrics import Metric, metrics_of, summarise
from groundlings.experiments.archive.cells import runs_in
from groundlings.experiments.archive.directory import own_recommenders, read_manifest
from groundlings.experiments.archive.integrity import reading
from groundlings.experiments.running.events import SILENT, Progress
from groundlings.experiments.running.held_out.later import measured_later
from groundlings.simulator.log.reader import LogReader

if TYPE_CHECKING:
    import pandas as pd

    from groundlings.experiments.analysis.compare import Difference

WORDS: tuple[Word, ...] = get_args(Word)
"""What a verdict may be, the strongest first."""

_WIDTH = 100


@dataclass(frozen=True, slots=True)
class Comparison:
    """What a run says about its arms; printed, it is what `groundlings compare` prints.

        comparison = run.compare()
        print(comparison)
        assert comparison.verdict != "not supported"

        print(comparison.answer.sentence)

    Attributes:
        findings: Everything that was found, as plain values.
        answer: The same on one screen: the sentence, who wins, by how much, whether to believe it, the bad news.
    """

    findings: Findings
    answer: Answer

    @property
    def verdict(self) -> Word | None:
        """The weakest of `verdicts`: "validated", "indicative" or "not supported".

        None where there is none: two arms that share every list are only ranked, and bounds do not compete.
        """
        return max(self.verdicts.values(), key=WORDS.index, default=None)

    @property
    def verdicts(self) -> Mapping[str, Word]:
        """Arm -> the word for its effect on the primary metric, against the first arm."""
        return {arm.name: arm.word for arm in self.findings.arms}

    @property
    def effects(self) -> pd.DataFrame:
        """One row per arm and metric, the primary metric first.

            comparison.effects.query("role == 'primary'")

        Returns:
            `arm`, `baseline`, `metric`; `role`: primary, guardrail or explored; `effect`, the mean of arm minus
            baseline, its `standard_error`, `low` and `high`, the ends of its interval, and `p_value`, adjusted for how
            much was looked at (NaN where it cannot be told); `agents` with a value in both arms and `agents_without`;
            `verdict` of the primary metric, missing for the others.
        """
        import pandas as pd

        rows = [row for arm in self.findings.arms for row in _rows(arm, self.findings)]
        columns = [*_KEYS, "effect", "standard_error", "low", "high", "p_value", "agents", "agents_without", "verdict"]
        numbers = dict.fromkeys(("effect", "standard_error", "low", "high", "p_value"), "float64")
        return pd.DataFrame(rows, columns=columns).astype({**numbers, "verdict": "string"})

    @property
    def real(self) -> pd.DataFrame:
        """What real people did with the same arms, one row per arm and kind of evidence, the strongest first.

            comparison.real.query("stance == 'disagrees'")

        Returns:
            `arm`, `baseline`; `source`: random exposures, logged exposures or held-out behaviour; `metric`; `value`,
            the arm's mean over people; `difference` to the first arm, paired over people, and `low` and `high`, the
            ends of its 95 % interval; `people`; `stance`: agrees, disagrees, cannot tell, does not correspond or not
            known; `why`. An arm of which nothing is known has one row without figures.
        """
        import pandas as pd

        rows = [row for arm in self.findings.arms for row in _real_rows(arm, self.findings.baseline)]
        numbers = dict.fromkeys(("value", "difference", "low", "high"), "float64")
        return pd.DataFrame(rows, columns=_REAL).astype({**numbers, "people": "Int64"})

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values, as `groundlings compare --json` prints them."""
        return {"answer": self.answer.as_dict(), **self.findings.as_dict()}

    def __str__(self) -> str:
        from groundlings.experiments.analysis.answer.terminal import print_comparison
        from groundlings.experiments.terminal import Terminal

        written = io.StringIO()
        print_comparison(self.answer, self.findings, Terminal(file=written, width=_WIDTH))
        return written.getvalue().rstrip()

    def __repr__(self) -> str:
        return f"<Comparison {dict(self.verdicts)}>"

    def _repr_html_(self) -> str:
        return f"<p>{escape(self.answer.sentence)}</p>{self.effects.to_html(index=False)}"


def compare_runs(
    directory: Path | str,
    fidelity: Path | str | None = None,
    variants: Sequence[Path | str] = (),
    own_metrics: Sequence[Metric] = (),
    truth: Path | str | None = None,
    progress: Progress = SILENT,
    past_tests: int = 0,
) -> Comparison:
    """The arms of a run, or of an experiment with variants.

    Args:
        directory: The run's.
        fidelity: A fidelity.json; the one in the run's directory if absent.
        variants: Directories of the same experiment with another prompt, model or seed.
        own_metrics: Metrics that Python code handed over, which the log knows by name alone.
        truth: A truth.json; the one in the run's directory if absent.
        progress: Is told that real behaviour is measured, for a run that did not measure it.
        past_tests: On how many tests on real people its effects are corrected.

    Raises:
        RunDirectoryError: A log or a file beside it cannot be read, or a variant lacks an arm.
        ConfigError: Something that should be a path is none, or the past tests are no count.
    """
    if type(past_tests) is not int or past_tests < 0:
        raise ConfigError(f"past_tests: found {shown(past_tests)}, expected how many past tests there were, 0 or more")
    if isinstance(variants, str) or not isinstance(variants, Sequence):
        raise ConfigError(f"variants: found {shown(variants)}, expected a list of run directories")
    directory = handed_over(directory, "directory")
    others_at = [handed_over(each, f"variants[{place}]") for place, each in enumerate(variants)]
    first, *others = (*runs_in(directory), *(run for each in others_at for run in runs_in(each)))
    # An examination that lies with a matrix counts for its cells.
    near = {name: directory / name if (directory / name).is_file() else None for name in (FIDELITY_NAME, TRUTH_NAME)}
    for name, named in ((FIDELITY_NAME, fidelity), (TRUTH_NAME, truth)):
        if named is not None:
            near[name] = handed_over(named, name.removesuffix(".json"))
    with reading(first, *others), ExitStack() as stack:
        log, *others_logs = (stack.enter_context(LogReader(run)) for run in (first, *others))
        metrics = metrics_of(log.run()["config"], own_metrics, log.action_names())
        held_out = measured_later(first, log, progress)
        found = compare_run(first, log, near[FIDELITY_NAME], others_logs, metrics, held_out, near[TRUTH_NAME])
        summary = summarise(log, metrics)
        question = str(log.run()["config"].get("question") or "")
        return Comparison(
            found, answer_of(found, summary, question, past_tests, own_recommenders(read_manifest(first)))
        )


def check_variant_metrics(ours: Sequence[Metric], theirs: Sequence[Metric], variant: Path) -> None:
    """Raise `ConfigError` where a name means one metric in a run and another one in its variant."""
    mine = {metric.name: metric for metric in ours}
    other = [metric.name for metric in theirs if mine.get(metric.name, metric) != metric]
    if other:
        raise ConfigError(
            f"variants: {variant} was opened with another metric {' and '.join(other)} than this run; both have to be "
            "measured alike, so open both with the same Metric"
        )


def check_words(words: Sequence[str]) -> None:
    """Raise `ConfigError` for a word that no verdict has."""
    for word in words:
        if word not in WORDS:
            raise ConfigError(f"--fail-on: found {shown(word)}, expected {', '.join(map(repr, WORDS))}")


def has_verdict(comparison: Comparison, words: Sequence[str]) -> bool:
    """Whether any arm has one of some verdicts.

    Raises:
        RunDirectoryError: No arm has a verdict at all.
    """
    if not comparison.verdicts:
        raise RunDirectoryError(
            "--fail-on: this run gives no verdict, because no arm competes with the first one on a metric (bounds and "
            "interleaved arms do not); take the option out"
        )
    return any(word in words for word in comparison.verdicts.values())


_KEYS = ("arm", "baseline", "metric", "role")


_REAL = (
    "arm", "baseline", "source", "metric", "value", "difference", "low", "high", "people", "stance", "why",
)  # fmt: skip


def _real_rows(arm: ArmFindings, baseline: str) -> list[tuple[object, ...]]:
    found = arm.real
    if found is None:
        return []
    if not found.effects:
        return [(arm.name, baseline, *[None] * 7, found.stance, found.why)]
    return [
        (
            arm.name, baseline, each.source, each.metric, each.value.mean, each.difference.difference,
            each.difference.low, each.difference.high, each.difference.n, found.stance, found.why,
        )
        for each in found.effects
    ]  # fmt: skip


def _rows(arm: ArmFindings, found: Findings) -> list[dict[str, object]]:
    """The effects of one arm: what was declared first."""

    def row(metric: str, role: str, effect: Difference, p_value: float | None, word: str | None) -> dict[str, object]:
        return {
            **dict(zip(_KEYS, (arm.name, found.baseline, metric, role), strict=True)),
            "effect": effect.difference,
            "standard_error": effect.standard_error,
            "low": effect.low,
            "high": effect.high,
            "p_value": p_value,
            "agents": effect.n,
            "agents_without": effect.excluded,
            "verdict": word,
        }

    return [
        row(found.plan.primary, "primary", arm.headline.effect, arm.headline.adjusted_p, arm.word),
        *(row(each.metric, "guardrail", each.effect, each.adjusted_p, None) for each in arm.guardrails),
        *(row(each.metric, "explored", each.effect, each.adjusted_p, None) for each in arm.explored),
    ]
