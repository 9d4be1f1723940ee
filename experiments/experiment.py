"""An experiment in Python: what an experiment file says, and objects where a file can only have names.

import groundlings as gl

experiment = gl.Experiment(
    dataset="ml-100k",
    arms={"popular": "popular", "mine": my_trained_recommender},
    seed=7,
    days=2,
    population=500,
)
print(experiment.check())
run = experiment.run("runs/first")
print(run.compare())
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from groundlings.environments.catalog import Catalog
from groundlings.environments.dataset import Dataset
from groundlings.environments.datasets import load_dataset
from groundlings.environments.errors import ConfigError, shown
from groundlings.environments.interactions import Interactions
from groundlings.environments.paths import handed_over
from groundlings.environments.split import Split
from groundlings.experiments.archive.directory import existing_config
from groundlings.experiments.config.complaints import Key, checked, key_path
from groundlings.experiments.config.loading import as_yaml, config_hash, load_config
from groundlings.experiments.config.schema import ExperimentConfig
from groundlings.experiments.python_api.arms import arms_of, makers_for
from groundlings.experiments.python_api.checking import Checked, check_plan
from groundlings.experiments.python_api.data import dataset_of
from groundlings.experiments.python_api.finished import Run
from groundlings.experiments.python_api.objects import check_given_again, environment_of, mind_of, named_metrics
from groundlings.experiments.running.events import Printing, Progress
from groundlings.experiments.running.replicates import go_on_with, run_as_configured
from groundlings.experiments.running.run_directory import Resuming
from groundlings.experiments.running.supplied import Supplied
from groundlings.experiments.terminal import say

if TYPE_CHECKING:
    import pandas as pd

    from groundlings.experiments.analysis.metrics.declaration import Metric


class Experiment:
    """One experiment: real people's histories, recommenders under test, and who decides for the simulated people.

        experiment = Experiment(
            dataset=Tables(interactions=purchases, items=products),
            arms={"popular": "popular", "newest": lambda user_ids, k: [newest[:k] for _ in user_ids]},
            seed=7,
        )

    Whatever is left out has the default that `groundlings schema` prints. An experiment whose arguments are all names
    is the same as the file with these names: same configuration, same hash, same digest.

    Args:
        dataset: The name of a data set, a mapping as in an experiment file, a DataFrame of interactions, `Tables`, or
            a `Dataset`. Data that is handed over is copied into the run's directory.
        arms: Name -> recommender; the others are compared to the first. A recommender is a name or a mapping
            (`{"recommender": "ease", "options": {...}}`) as in an experiment file, a function `(user_ids, k)` that
            gives a list of item ids per user and may be async, an object with such a method `recommend`, a
            `Recommender`, its class, or a factory that takes nothing. Classes and factories are fitted by the run;
            objects are used as they are, unless they stand in `refitted(...)`.
        seed: Where all chance comes from. There is no default: a run without a seed cannot be repeated.
        mind: Who decides: the name of a mind, its section, or a function (or class) that is given a `MindContext` and
            makes a mind; it is called once per arm.
        environment: Where people browse: the name of an environment, its section, or an `Environment`; the paginated
            feed if absent.
        metrics: What is measured: names, "shipped" for all shipped ones, and `Metric`s; the shipped ones if absent.
        name: Names the run's directory under `runs`, where `run` is not told another.
        days: Short for `simulation={"days": ...}`.
        population: How many people become agents, "all", or the section.
        **sections: Every other key of an experiment file, such as `plan`, `site`, `design` or `variants`.

    Attributes:
        config: The same as a configuration.

    Raises:
        ConfigError: An argument does not fit; the message names it.
        DataError: A table that was handed over says something impossible; the message names column and row.
    """

    config: ExperimentConfig

    def __init__(
        self,
        *,
        dataset: object,
        arms: Mapping[str, object],
        seed: int,
        mind: object = "behavioural",
        environment: object = None,
        metrics: Sequence[object] | None = None,
        name: str = "experiment",
        days: int | None = None,
        population: object = None,
        **sections: Any,
    ) -> None:
        for key in ("base", "name", "seed"):
            if key in sections:
                raise ConfigError(f"{key}: this key does not exist")
        section, data = dataset_of(dataset)
        listed, makers = arms_of(arms)
        who, make_mind = mind_of(mind)
        where, place = environment_of(environment)
        names, own_metrics = named_metrics(metrics)
        content = {"name": name, "seed": seed, "dataset": section, "mind": who, "arms": listed, **sections}
        content |= {key: value for key, value in (("environment", where), ("metrics", names)) if value is not None}
        if data is not None:
            content["copy_data"] = _copied(sections)
        if days is not None:
            content["simulation"] = {**_section(sections, "simulation", "days"), "days": days}
        if population is not None:
            content["population"] = population if isinstance(population, Mapping) else {"size": population}
        self.config = _validated(content, list(arms))
        self._supplied = Supplied(
            dataset=data, recommenders=makers, mind=make_mind, environment=place, metrics=own_metrics
        )

    @classmethod
    def from_file(cls, path: Path | str, overrides: Sequence[str] = (), seed: int | None = None) -> Experiment:
        """The experiment of a YAML file.

            Experiment.from_file("my_first.yaml", ["simulation.days=5"]).run()

        Args:
            path: The file.
            overrides: `key.path=value` each, as `groundlings run --set`.
            seed: Takes the place of the file's seed.

        Raises:
            ConfigError: The file cannot be read, or says something that does not fit.
        """
        experiment = cls.__new__(cls)
        experiment.config = load_config(handed_over(path, "path"), overrides, seed)
        experiment._supplied = Supplied()
        return experiment

    def check(self) -> Checked:
        """What a run would do, before it does it; printed, it is what `groundlings check` prints.

            print(experiment.check())

        Functions and trained objects are asked for the lists of a few people.

        Raises:
            ConfigError: Something does not exist, does not fit, or cannot rank for these people.
            DataError: Data is missing or damaged, or the answer of a function cannot be shown.
        """
        return check_plan(self.config, self._supplied)

    def run(self, out: Path | str | None = None, *, progress: Progress | None = None) -> Run:
        """Simulate all arms, log everything, then write summary and report.

            run = experiment.run("runs/first")
            run.impressions().groupby("arm").clicked.mean()

        It waits for the end, in a script as in a notebook, and gives the digest that the same experiment always gives.

        Args:
            out: A new directory; one under `runs` if absent. Nothing is ever overwritten.
            progress: Is told how far it is; if absent, what must be known is printed.

        Raises:
            UserError: Something that its message tells how to mend; what was logged before stays, see `resume`.
        """
        where = None if out is None else handed_over(out, "out")
        done = run_as_configured(self.config, where, progress or Printing(), self._supplied)
        return Run(done.directory, self._supplied.metrics)

    def resume(
        self,
        directory: Path | str,
        *,
        accept_changes: bool = False,
        data: Path | str | None = None,
        progress: Progress | None = None,
    ) -> Run:
        """Go on with a run of this experiment that was interrupted; its outcome is that of an uninterrupted one.

            run = experiment.resume("runs/first")

        Args:
            directory: The run's.
            accept_changes: Whether to go on although code, a model or another part has changed since it began; the log
                then says that it is two experiments.
            data: Where the files lie now that the run reads; their content must be the same.
            progress: Is told how far it is; if absent, what must be known is printed.

        Raises:
            RunDirectoryError: There is no run, it is damaged, or another process is at it.
            ConfigError: It began as another experiment.
        """
        directory = handed_over(directory, "directory")
        resuming = _resuming(accept_changes, data)
        begun = config_hash(load_config(existing_config(directory)))
        if begun != config_hash(self.config):
            raise ConfigError(
                f"{directory}: this run began as another experiment (SHA-256 {begun[:12]}..., this one is "
                f"{config_hash(self.config)[:12]}...); use groundlings.resume, or start a new run"
            )
        done = go_on_with(directory, progress or Printing(), self._supplied, resuming)
        return Run(done.directory, self._supplied.metrics)

    def as_yaml(self) -> str:
        """The experiment as a file; an arm that no file can hold stands there as `python:` and its name."""
        return as_yaml(self.config)

    def history(self) -> pd.DataFrame:
        """What the recommenders know on the first morning, to train your own on.

            model.fit(experiment.history())

        Returns:
            One row per interaction, in the order of time: `user_id` and `item_id` (the data set's own ids), `rating`
            (NaN where none was given) and `timestamp` (seconds since 1970, with
            fractions where the data has them; NaN where the data has no times, and then rows are in a seeded order);
            `kind` and `weight` where the data have them.
        """
        import numpy as np
        import pandas as pd

        from groundlings.environments.interactions import KIND, WEIGHT

        known, data = self._split.train, self._known[0]
        told = known.frame()
        return pd.DataFrame(
            {
                "user_id": pd.Series(data.people.user_ids, dtype=str).take(known.users).to_numpy(),
                "item_id": pd.Series(data.catalog.item_ids, dtype=str).take(known.items).to_numpy(),
                "rating": known.ratings,
                "timestamp": known.seconds if data.times_known else np.full(len(known), np.nan),
                **{name: told[name] for name in (KIND, WEIGHT) if name in told},
            }
        )

    def training(self) -> tuple[Interactions, Catalog]:
        """The same for the method `fit` of a `Recommender`.

        recommender.fit(*experiment.training())
        """
        return self._split.train, self._dataset.catalog

    @cached_property
    def _dataset(self) -> Dataset:
        return self._supplied.dataset or load_dataset(self.config.dataset, notify=say, base=self.config.base)

    @property
    def _split(self) -> Split:
        return self._known[1]

    @cached_property
    def _known(self) -> tuple[Dataset, Split]:
        """The data and their split, with synthetic users where the file asks for some."""
        return self.config.population.of(self._dataset, self.config.split.of(self._dataset), self.config.seed)


def open_run(directory: Path | str, *, metrics: Sequence[Metric] = ()) -> Run:
    """A run that lies in a directory, whoever made it; also one that was interrupted.

        open_run("runs/first").metrics()

    Args:
        directory: The run's.
        metrics: Those that were handed over as `Metric`s when it began.

    Raises:
        RunDirectoryError: There is no log of Groundlings.
    """
    run = Run(handed_over(directory, "directory"), tuple(metrics))
    run.check_readable()
    return run


def resume(
    directory: Path | str,
    *,
    arms: Mapping[str, object] | None = None,
    mind: object = None,
    environment: object = None,
    metrics: Sequence[Metric] = (),
    accept_changes: bool = False,
    data: Path | str | None = None,
    progress: Progress | None = None,
) -> Run:
    """Go on with a run that was interrupted; one without Python objects also resumes on the command line.

        resume("runs/first", arms={"mine": my_trained_recommender})

    Args:
        directory: The run's.
        arms: Name -> the recommender that the arm began with, for arms that no file can hold.
        mind, environment, metrics: What it began with, where that was an object.
        accept_changes, data: As of `Experiment.resume`.
        progress: Is told how far it is; if absent, what must be known is printed.

    Raises:
        RunDirectoryError: There is no run, it is damaged, or another process is at it.
        ConfigError: An object is missing, or the run is no longer the experiment that it began as.
    """
    directory, resuming = handed_over(directory, "directory"), _resuming(accept_changes, data)
    config = load_config(existing_config(directory))
    check_given_again(config, mind, environment, metrics)
    supplied = Supplied(
        recommenders=makers_for(config, arms or {}),
        mind=mind_of(mind)[1],
        environment=environment_of(environment)[1],
        metrics=tuple(metrics),
    )
    return Run(go_on_with(directory, progress or Printing(), supplied, resuming).directory, supplied.metrics)


def _resuming(accept_changes: object, data: object) -> Resuming:
    """How to go on; raises `ConfigError` where that is not said as it should be."""
    if not isinstance(accept_changes, bool):
        raise ConfigError(f"accept_changes: found {shown(accept_changes)}, expected True or False")
    return Resuming(accept_changes, None if data is None else handed_over(data, "data"))


def _copied(sections: Mapping[str, Any]) -> bool:
    if sections.get("copy_data") is False:
        raise ConfigError("copy_data: data that is handed over has to be copied; take the key out")
    return True


def _section(sections: Mapping[str, Any], name: str, key: str) -> dict[str, Any]:
    """A section of which one key has an argument of its own."""
    given = sections.get(name) or {}
    plain = given if isinstance(given, Mapping) else given.model_dump(exclude_unset=True)
    if key in plain:
        raise ConfigError(f"{key}: stands under {name} as well; give it once")
    return dict(plain)


def _validated(content: Mapping[str, Any], arms: Sequence[str]) -> ExperimentConfig:
    def worded(where: Sequence[Key], what: str) -> str:
        return f"{_argument(where, arms)}: {what}"

    return checked(ExperimentConfig, {**content, "base": Path.cwd()}, worded)


def _argument(location: Sequence[Key], arms: Sequence[str]) -> str:
    """A place in the configuration as the argument that it came from."""
    match location:
        case []:
            return "Experiment"
        case ["arms", int() as number, *rest]:
            return f"arms[{arms[number]!r}]{key_path(['', *rest])}"
        case _:
            return key_path(location)
