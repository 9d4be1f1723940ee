"""A run as an object: its log as data frames, its metrics, its verdict."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from groundlings.environments.errors import ConfigError, RunDirectoryError, shown
from groundlings.environments.paths import handed_over
from groundlings.experiments.analysis.answer.values import Answer
from groundlings.experiments.analysis.metrics import Metric, Summary, metrics_of, summarise
from groundlings.experiments.analysis.retention import retention_frame
from groundlings.experiments.archive.cells import runs_in
from groundlings.experiments.archive.directory import CELLS, REPORT_NAME
from groundlings.experiments.archive.integrity import reading
from groundlings.experiments.archive.log_check import FEW_ROWS, check_log, warn_of_changes
from groundlings.experiments.python_api.comparison import Comparison, check_variant_metrics, compare_runs
from groundlings.experiments.python_api.metric_frame import FOR_TABLES, metric_frame, short_table
from groundlings.experiments.python_api.shown_frames import group_frame, list_frame
from groundlings.experiments.python_api.why_frames import WhyTable, why_frame
from groundlings.simulator.log.reader import LogReader

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class Run:
    """A run that lies in a directory.

        run = open_run("runs/first")
        run.impressions().groupby(["arm", "position"]).clicked.mean()
        print(run.compare())

    Its data frames name arms as the experiment does, and users and items by the data set's own ids, which are text.
    What nobody knows is missing, never 0 or False. Where an experiment has `variants`, its cells are runs of their
    own: the frames hold all of them, and the column `cell` says which.

    Attributes:
        directory: Where everything lies.
        own_metrics: Metrics that were handed over as `Metric`s, which the directory knows by name alone.
    """

    directory: Path
    own_metrics: tuple[Metric, ...] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "directory", handed_over(self.directory, "directory"))
        for place, each in enumerate(self.own_metrics):
            if not isinstance(each, Metric):
                raise ConfigError(
                    f"metrics[{place}]: found {shown(each)}, expected a groundlings.Metric; the run knows the others "
                    "by name"
                )

    @property
    def report(self) -> Path:
        """The page to look at."""
        return self.directory / REPORT_NAME

    @property
    def digest(self) -> str:
        """SHA-256 over what happened: equal when two runs behaved alike.

        Raises:
            RunDirectoryError: The run consists of several cells, which have a digest each.
        """
        (only,) = self._only("digest")
        with reading(only), LogReader(only) as log:
            digest, seals = log.digest_and_seals()
            warn_of_changes(check_log(only, log, seals=seals), only)
            return digest

    @property
    def cells(self) -> tuple[Run, ...]:
        """The runs of an experiment with `variants`, in their order; of any other, the run itself."""
        return tuple(Run(directory, self.own_metrics) for directory in runs_in(self.directory))

    def impressions(self) -> pd.DataFrame:
        """One row per slot that was shown.

            run.impressions().query("rank < 10").groupby("arm").clicked.mean()

        Returns:
            As `groundlings.simulator.log.reader.LogReader.impressions`: `arm`, `user_id`, `item_id`, `day`, `page`,
            `position`, `rank`, `score`, `pscore`, `examined`, `clicked`, `rating` and what else is known.
        """
        return self._frames(LogReader.impressions)

    def sessions(self) -> pd.DataFrame:
        """One row per session.

        Returns:
            As `LogReader.sessions`: `arm`, `user_id`, `day`, `timestamp`, `pages`, `ended_by`, `satisfaction`, ...
        """
        return self._frames(LogReader.sessions)

    def events(self) -> pd.DataFrame:
        """One row per thing that happened, in the order of happening within a session.

        Returns:
            As `LogReader.events`: `arm`, `user_id`, `day`, `page`, `kind`, `item_id`, `value`, `detail`, ...
        """
        return self._frames(LogReader.events)

    def calls(self) -> pd.DataFrame:
        """One row per question to a language model; empty where none took part.

        Returns:
            As `LogReader.calls`: `arm`, `user_id`, `day`, `page`, then the columns of `calls` in docs/log.md.
        """
        return self._frames(LogReader.calls)

    def agents(self) -> pd.DataFrame:
        """One row per simulated person: `user_id`, and the `persona` as a mapping."""
        return self._frames(LogReader.agents)

    def items(self) -> pd.DataFrame:
        """One row per item, shown or not: `item_id`, `title`, `year` (perhaps missing), `genres`."""
        return self._frames(LogReader.items)

    def arms(self) -> pd.DataFrame:
        """One row per arm: `arm`, `recommender`, `options`, `sees_hidden_preference`."""
        return self._frames(LogReader.arms)

    def interventions(self) -> pd.DataFrame:
        """One row per change of an arm on the way: `arm`, `day`, `kind`, `detail`, `origin`, `place`."""
        return self._frames(LogReader.interventions)

    def interactions(self) -> pd.DataFrame:
        """One row per interaction, as recommenders learn from it: on the feed an item that was clicked.

        Returns:
            As `LogReader.interactions`: `arm`, `user_id`, `item_id`, `rating` (NA where none was given), `timestamp`
            (seconds since 1970), `day`, ... It can be the `dataset` of another `Experiment`.
        """
        return self._frames(LogReader.interactions)

    def metrics(self) -> pd.DataFrame:
        """One row per arm and metric.

            run.metrics().pivot(index="arm", columns="metric", values="value")

        Returns:
            `arm`, `metric`; `value`, the mean over agents; `standard_error`, and `low` and `high`, the ends of its
            95 % interval (NaN where there are too few agents); `denominator`, what each agent's value is divided by,
            and `denominator_total`, how much of it there was; `agents` with a value and `agents_without`.
        """
        return self._metric_frame().drop(columns=FOR_TABLES)

    def lists(self) -> pd.DataFrame:
        """What each arm showed: one row per arm and list metric, whether or not `metrics` names it.

            run.lists().pivot(index="arm", columns="metric", values="value")

        Returns:
            `arm`, `metric` (coverage, gini, mean_popularity, novelty, diversity); `value` with `low` and `high`, the
            ends of its 95 % interval; `difference` to the first arm with `difference_low` and `difference_high`;
            `at_random`, what as many items drawn uniformly from the catalog give; `denominator`; `agents`, on whose
            number coverage and gini depend; `why_missing`, where a figure is not known.
        """
        return self._frames(list_frame)

    def item_groups(self) -> pd.DataFrame:
        """What each group of items got: one row per arm, group and count.

            run.item_groups().query("grouping == 'category' and what == 'shown'")

        Returns:
            `arm`, `grouping` (as in `groups.items`), `group`, `items`; `of_catalog` and `of_interactions`, the group's
            shares of the items and of the training interactions; `what`: shown, clicks, purchases or paid (no row where
            nothing is known of it); `total` and `share` of it, with `low` and `high`, the ends of its 95 % interval;
            `difference` of the share to the first arm with `difference_low` and `difference_high`; `agents`;
            `why_missing`, where a grouping is not known.
        """
        return self._frames(group_frame)

    def why(self, table: WhyTable = "parts") -> pd.DataFrame:
        """Why arms differ, as in the section *Why* of the report (docs/why.md).

            run.why().pivot(index="arm", columns="part", values="effect")

        Args:
            table: `parts`, the effect on the primary metric in parts that add up to it (the row `all`); `funnel`, from
                shown to liked or bought, per session; `items`, those that gained and lost most, arm by arm; `overlap`,
                what pairs of arms showed in common (an arm beside itself: to two different agents); `pages`, where
                sessions go.

        Returns:
            `arm` and the figures, each with `_low` and `_high`, the ends of its 95 % interval; differences are to the
            first arm.

        Raises:
            ConfigError: There is no such table.
        """
        return self._frames(lambda log: why_frame(log, table, self._declared(log)))

    def retention(self) -> pd.DataFrame:
        """One row per arm and day after a user's first session (0 is its day); long runs have one every few days.

            run.retention().query("day == 7")[["arm", "back", "back_low", "back_high"]]

        Returns:
            `arm`, `day`; `users`, whose first session was so many days or more before the last day; `back`, the share
            of them with a session on that very day, and `rolling`, on that day or later. Of each, `_low` and `_high`
            are the ends of Wilson's 95 % interval, `_difference` is the difference to the first arm, and
            `_difference_low` and `_difference_high` the ends of its interval (NaN of the first arm).
        """
        return self._frames(retention_frame)

    def summary(self) -> Summary:
        """The figures of `summary.json`.

        Raises:
            RunDirectoryError: The run consists of several cells, which have a summary each.
        """
        (only,) = self._only("summary")
        with _log_of(only) as log:
            return summarise(log, self._declared(log))

    def compare(
        self, *, fidelity: Path | str | None = None, variants: Sequence[Run] = (), truth: Path | str | None = None
    ) -> Comparison:
        """Which recommender is better, how sure that is, and whether it may be believed.

            assert run.compare().verdict != "not supported"

        Args:
            fidelity: A `fidelity.json`; the one in the run's directory if absent.
            variants: The same experiment with another prompt, model or seed; all are measured by this run's metrics.
            truth: A `truth.json`; the one in the run's directory if absent.

        Raises:
            RunDirectoryError: A log or the fidelity file cannot be read, or a variant lacks an arm.
            ConfigError: A variant was opened with another metric of the same name.
        """
        given: Any = variants
        if not isinstance(given, Sequence) or not all(isinstance(each, Run) for each in given):
            raise ConfigError(
                f"variants: found {shown(variants)}, expected a list of runs, such as [groundlings.open_run(...)]"
            )
        for variant in variants:
            check_variant_metrics(self.own_metrics, variant.own_metrics, variant.directory)
        others = [variant.directory for variant in variants]
        return compare_runs(self.directory, fidelity, others, self.own_metrics, truth)

    def answer(self) -> Answer:
        """The answer on one screen: who wins, by how much, whether to believe it, the bad news, what to do next.

            print(run.answer().sentence)

        Raises:
            RunDirectoryError: As `compare`.
        """
        return self.compare().answer

    def check_readable(self) -> None:
        """Raise `RunDirectoryError` where there is no log that can be read."""
        for directory in runs_in(self.directory):
            with LogReader(directory):
                pass

    def __str__(self) -> str:
        return str(self.directory)

    def _repr_html_(self) -> str:
        return short_table(self._metric_frame())

    def _declared(self, log: LogReader) -> tuple[Metric, ...]:
        return metrics_of(log.run()["config"], self.own_metrics, log.action_names())

    def _metric_frame(self) -> pd.DataFrame:
        return self._frames(lambda log: metric_frame(log, self._declared(log)))

    def _only(self, what: str) -> tuple[Path]:
        found = runs_in(self.directory)
        if len(found) != 1:
            raise RunDirectoryError(
                f"{self.directory}: this run has {len(found)} cells, each with a {what} of its own; see Run.cells"
            )
        return (found[0],)

    def _frames(self, read: Callable[[LogReader], pd.DataFrame]) -> pd.DataFrame:
        import pandas as pd

        runs = runs_in(self.directory)
        frames = {}
        for run in runs:
            with _log_of(run) as log:
                frames[run.name] = read(log)
        if not (self.directory / CELLS).is_dir():
            (frame,) = frames.values()
            return frame
        for name, frame in frames.items():
            frame.insert(0, "cell", name)
        return pd.concat(frames.values(), ignore_index=True)


@contextmanager
def _log_of(run: Path) -> Iterator[LogReader]:
    """The log of a run; whoever reads one that was changed since it was written is warned."""
    with reading(run), LogReader(run) as log:
        warn_of_changes(check_log(run, log, FEW_ROWS), run)
        yield log
