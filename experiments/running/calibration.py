"""Where the weights of a calibrated mind come from: a named file, the run itself, the cache, the package, or a fit.

Weights are looked for in this order, and fitted only where nothing fits:

    mind.calibration   a file of the user's own; it must fit, or the run stops and says what differs
    the run            calibration.json in the directory of a run that is resumed
    the cache          fitted before on this machine, `$GROUNDLINGS_CACHE/calibrations` or the user's cache directory
    the package        shipped for `quickstart.yaml` (MovieLens-100K and the embedded model)
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from platformdirs import user_cache_path

from groundlings.environments.chat import ChatModel
from groundlings.environments.dataset import Dataset
from groundlings.environments.errors import ConfigError, UserError
from groundlings.environments.split import Split
from groundlings.experiments.archive.directory import write_text
from groundlings.experiments.config.schema import SplitConfig
from groundlings.personas.minds.calibrated import LanguageTermOptions
from groundlings.personas.minds.calibrated_question import PROMPT, LanguageScorer
from groundlings.personas.population import Population
from groundlings.personas.taste.calibration import Calibration, FittedFor, read_calibration
from groundlings.personas.taste.calibration_fit import fit_calibration
from groundlings.personas.taste.features import FEATURES, VERSION
from groundlings.personas.taste.model import Taste
from groundlings.simulator.language.config import ModelConfig

FILE_NAME = "calibration.json"
"""What a run's directory calls the weights that it decided by."""

Notify = Callable[[str], None]
PairsDone = Callable[[int, int], None]


@dataclass(frozen=True)
class LanguageTerm:
    """What a calibrated mind needs beside its evidence.

    Attributes:
        scorer: Asks the model; shared by all arms, so that no pair is asked about twice.
        calibration: The weights.
        source: Where they came from, in words.
    """

    scorer: LanguageScorer
    calibration: Calibration
    source: str


@dataclass(frozen=True)
class CalibrationGround:
    """What weights are fitted on.

    Attributes:
        dataset, split: The data.
        split_config: How it was split.
        population: Anybody; for personas.
        taste: Seed -> evidence estimated with it.
    """

    dataset: Dataset
    split: Split
    split_config: SplitConfig
    population: Population
    taste: Callable[[int], Taste]

    def wanted(self, options: LanguageTermOptions, scorer: LanguageScorer) -> FittedFor:
        """What weights must have been fitted for."""
        return FittedFor(
            dataset=self.dataset.name,
            dataset_hash=self.dataset.fingerprint,
            split_kind=self.split_config.kind,
            test_fraction=self.split_config.test_fraction,
            salt=self.split_config.salt,
            evidence=FEATURES,
            evidence_version=VERSION,
            model=scorer.model.name,
            model_fingerprint=scorer.fingerprint,
            prompt=PROMPT.name,
            prompt_hash=PROMPT.sha256,
            question=options.question.model_dump(mode="json"),
            people=options.fit_people,
            pairs=options.fit_pairs,
            seed=options.fit_seed,
        )


async def find_language_term(
    options: LanguageTermOptions,
    ground: CalibrationGround,
    model: ChatModel,
    *,
    base: Path,
    run: Path | None = None,
    people_at_once: int = 1,
    notify: Notify = lambda _: None,
    on_pairs: PairsDone = lambda _done, _total: None,
) -> LanguageTerm:
    """The weights that fit, fitted now where there are none.

    Args:
        options: Of the mind.
        ground: What is fitted on.
        model: Is asked.
        base: From where the path of `options.calibration` counts.
        run: The directory of a run that is resumed.
        people_at_once: How many people a fit asks about side by side.
        notify: Told where the weights came from.
        on_pairs: Told how many pairs of a fit are done, of how many.

    Raises:
        ConfigError: The named file does not fit the experiment.
        DataError: It is damaged, or nothing can be fitted.
    """
    scorer = LanguageScorer(ground.population, model, options.question)
    wanted = ground.wanted(options, scorer)
    if options.calibration is not None:
        found, source = _named(base / options.calibration.expanduser(), wanted), str(options.calibration)
    else:
        kept = next(_fitting(wanted, run), None)
        if kept is None:
            kept = await _fit(wanted, ground, scorer, people_at_once, notify, on_pairs), "fitted for this run"
        found, source = kept
    notify(
        f"calibration: {source}; language weight {found.language.value:+.3f} "
        f"(95 % {found.language.interval[0]:+.3f} to {found.language.interval[1]:+.3f}) a standard deviation"
    )
    return LanguageTerm(scorer, found, source)


def people_at_once(model: ModelConfig) -> int:
    """How many people to ask a model about side by side: as many as a server has places for, one in this process."""
    return 1 if model.provider == "embedded" else max(model.concurrency, model.vllm.batch * (model.provider == "vllm"))


def cache_directory() -> Path:
    """Where fitted weights are kept: `$GROUNDLINGS_CACHE/calibrations`, else the user's cache directory."""
    chosen = os.environ.get("GROUNDLINGS_CACHE")
    return (Path(chosen).expanduser() if chosen else user_cache_path("groundlings")) / "calibrations"


def _named(path: Path, wanted: FittedFor) -> Calibration:
    found = read_calibration(path)
    if differences := found.fitted_for.mismatches(wanted, size=False):
        raise ConfigError(
            f"mind.calibration: {path} was fitted for something else: {'; '.join(differences)}; "
            "make one with `groundlings calibrate CONFIG --out FILE`, or leave the key out"
        )
    return found


def _fitting(wanted: FittedFor, run: Path | None) -> Iterator[tuple[Calibration, str]]:
    """What was fitted before and fits, with its source; a file that cannot be read is passed by."""
    cache, shipped = cache_directory(), Path(str(files("groundlings.experiments") / "calibrations"))
    places = [
        *([(run / FILE_NAME, "this run")] if run is not None else []),
        *((path, f"fitted before, {path}") for path in sorted(cache.glob(f"{_stem(wanted)}-*.json"))),
        *((path, f"shipped with Groundlings, {path.name}") for path in sorted(shipped.glob("*.json"))),
    ]
    for path, source in places:
        try:
            found = read_calibration(path)
        except UserError:
            continue
        if not found.fitted_for.mismatches(wanted, size=True):
            yield found, source


async def _fit(
    wanted: FittedFor,
    ground: CalibrationGround,
    scorer: LanguageScorer,
    people_at_once: int,
    notify: Notify,
    on_pairs: PairsDone,
) -> Calibration:
    notify(f"calibration: fitting on at most {wanted.people} validation people, {wanted.pairs} pairs each")
    found = await fit_calibration(
        wanted,
        ground.dataset,
        ground.split,
        ground.taste(wanted.seed),
        scorer,
        people_at_once=people_at_once,
        on_pairs=on_pairs,
    )
    cache = cache_directory()
    cache.mkdir(parents=True, exist_ok=True)
    fingerprint = hashlib.sha256(wanted.model_fingerprint.encode()).hexdigest()
    write_text(cache / f"{_stem(wanted)}-{fingerprint[:8]}.json", found.as_text())
    return found


def _stem(wanted: FittedFor) -> str:
    """The cache's name for weights, but for the model's fingerprint: a replay knows only the model's name."""
    content = json.dumps(wanted.model_dump(mode="json", exclude={"model_fingerprint"}), sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()[:16]
