"""Where the weights of a calibrated mind come from: a named file, the run itself, the cache, the package, or a fit.

Weights are looked for in this order, and fitted only where nothing fits:

    the run            calibration.json in the directory of a run that is resumed; no other will do
    mind.calibration   a file of the user's own; it must fit, or the run stops and says what differs
    the cache          fitted before on this machine, `$GROUNDLINGS_CACHE/calibrations` or the user's cache directory
    the package        shipped for `quickstart.yaml` (MovieLens-100K and the embedded model)
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from importlib.resources import files
from pathlib import Path

import numpy as np

from groundlings.environments.chat import ChatModel
from groundlings.environments.dataset import Dataset
from groundlings.environments.errors import ConfigError, DataError, UserError, in_words
from groundlings.environments.paths import CACHE_VARIABLE, user_cache
from groundlings.environments.repeats import OwnClock
from groundlings.environments.split import Split, test_people
from groundlings.experiments.archive.directory import write_text
from groundlings.experiments.config.schema import CalibratedMindConfig, SplitConfig
from groundlings.experiments.labs.unreadable_answers import refuse_unreadable
from groundlings.experiments.running import kept_evidence
from groundlings.experiments.running.events import SILENT, Note, Progress, on_pairs
from groundlings.experiments.running.kept_weights import keep, kept, place_of
from groundlings.personas.language_term import LanguageTerm
from groundlings.personas.minds.calibrated import LanguageTermOptions
from groundlings.personas.minds.calibrated_question import LanguageScorer, PairScorer
from groundlings.personas.population import Population
from groundlings.personas.registry import MindContext
from groundlings.personas.repeats.model import RepeatModel, fit_repeats
from groundlings.personas.taste.calibration import Calibration, FittedFor, read_calibration
from groundlings.personas.taste.calibration_fit import fit_calibration
from groundlings.personas.taste.features import FEATURES, Evidence, version_of
from groundlings.personas.taste.model import FAMILIES, Taste, estimate, with_weights
from groundlings.personas.taste.star_features import StarEvidence
from groundlings.personas.taste.training_data import measure, measure_rows
from groundlings.personas.taste.weights import TasteWeights
from groundlings.simulator.language.config import ModelConfig

WHOLE = "all features"
"""The taste that minds decide by, among those of `CalibrationGround.tastes`."""

FILE_NAME = "calibration.json"
"""What a run's directory calls the weights that it decided by."""

CheckLost = Callable[..., None]
"""`refuse_unreadable` with the limit of a mind or a lab."""


@dataclass(frozen=True)
class CalibrationGround:
    """What weights are fitted on.

    Attributes:
        dataset, split: The data.
        split_config: How it was split.
        population: Anybody; for personas.
        per_occasion: Whether taste is that of one occasion, as it is where items may be shown again.
        widened: The data and their split with synthetic users, whom nothing is fitted on; None where there are none.
    """

    dataset: Dataset
    split: Split
    split_config: SplitConfig
    population: Population
    per_occasion: bool = False
    widened: tuple[Dataset, Split] | None = None
    _tastes: dict[int, Mapping[str, Taste]] = field(default_factory=dict, init=False, repr=False, compare=False)
    _repeats: dict[int, RepeatModel] = field(default_factory=dict, init=False, repr=False, compare=False)
    _measured_widened: tuple[Evidence, StarEvidence | None] | None = field(
        default=None, init=False, repr=False, compare=False
    )

    def taste(self, seed: int, weights: TasteWeights | None = None) -> Taste:
        """What people like, estimated with a seed; from `weights` that were estimated before, where there are any."""
        if weights is not None:
            return self._weighed({WHOLE: weights})[WHOLE]
        return self.tastes(seed)[WHOLE]

    def tastes(self, seed: int) -> Mapping[str, Taste]:
        """The taste of all features under `WHOLE`, and that of each family alone; they share what was measured.

        Args:
            seed: Of the sampling of negatives.
        """
        if seed not in self._tastes:
            salt = self.split_config.salt
            place = place_of(self.dataset, self.split, salt=salt, seed=seed, per_occasion=self.per_occasion)
            found = kept(place)
            if found is None or set(found) != {WHOLE, *FAMILIES}:
                self._tastes[seed] = self._estimated(seed)
                keep(place, {name: taste.weights for name, taste in self._tastes[seed].items()})
            else:
                self._tastes[seed] = self._weighed(found)
        return self._tastes[seed]

    def _estimated(self, seed: int) -> Mapping[str, Taste]:
        """See `tastes`."""
        measured = measure(
            self.dataset, self.split.train, salt=self.split_config.salt, seed=seed, labels=self.split.labels
        )
        kept_evidence.keep(self.dataset, self.split.train, (measured.evidence, measured.stars))
        whole = estimate(measured, per_occasion=self.per_occasion)
        unrated = replace(measured, stars=None, earlier_stars=None)  # stars are the same in every family
        families = {
            name: replace(estimate(unrated, features, per_occasion=self.per_occasion), stars=whole.stars)
            for name, features in FAMILIES.items()
        }
        found = {WHOLE: whole, **families}
        if self.widened is None:
            return found
        return self._weighed({name: taste.weights for name, taste in found.items()})

    def _weighed(self, weights: Mapping[str, TasteWeights]) -> Mapping[str, Taste]:
        """The tastes of everybody with weights that were estimated on real users; they share what was measured.

        What items say of each other is measured on real users alone, what a user is like on the user's own history.
        """
        if self.widened is None:
            measured = kept_evidence.measured(self.dataset, self.split.train)
        elif self._measured_widened is None:
            dataset, split = self.widened
            measured = measure_rows(dataset, split.train, real=self.split.train)
            object.__setattr__(self, "_measured_widened", measured)
        else:
            measured = self._measured_widened
        return {name: with_weights(*measured, each) for name, each in weights.items()}

    def repeats(self, seed: int) -> RepeatModel:
        """How people take up again what they know, estimated with a seed on users outside the test third.

        Raises:
            ConfigError: The data set has no times, so there is no recency.
            DataError: Nobody had an occasion to take anything up again.
        """
        self.check_times()
        if seed not in self._repeats:
            split = self.split if self.widened is None else self.widened[1]
            fitting = np.zeros(split.train.n_users, dtype=np.bool_)
            fitting[: len(self.dataset.people)] = ~test_people(self.dataset.people.user_ids, self.split_config.salt)
            self._repeats[seed] = fit_repeats(split.train, OwnClock.of(split), fitting, seed=seed)
        return self._repeats[seed]

    def check_times(self) -> None:
        """Return if the data set has the times that repeats are estimated from.

        Raises:
            ConfigError: It has none.
        """
        if not self.dataset.times_known:
            raise ConfigError(
                f"site.repeats: how soon people take up again what they know is estimated from times, and the data set "
                f"{self.dataset.name!r} has none; name the column (dataset.own.interactions.timestamp), or take the "
                "key out"
            )

    def wanted(self, options: LanguageTermOptions, scorer: PairScorer) -> FittedFor:
        """What weights must have been fitted for."""
        return FittedFor(
            dataset=self.dataset.name,
            dataset_hash=self.dataset.fingerprint,
            split_kind=self.split_config.kind,
            test_fraction=self.split_config.test_fraction,
            salt=self.split_config.salt,
            evidence=FEATURES,
            evidence_version=version_of(len(self.dataset.people)),
            model=scorer.name,
            model_fingerprint=scorer.fingerprint,
            prompt=scorer.prompt.name,
            prompt_hash=scorer.prompt.sha256,
            question=scorer.options.model_dump(mode="json"),
            people=options.fit_people,
            pairs=options.fit_pairs,
            seed=options.fit_seed,
        )


async def calibrated(
    context: MindContext,
    mind: CalibratedMindConfig,
    ground: CalibrationGround,
    *,
    seed: int,
    run: Path | None,
    progress: Progress,
) -> MindContext:
    """A context for calibrated minds: with the weights of the language term, found or fitted.

    Args:
        context: What else minds are built from; its model is asked, unless a student answers.
        mind: As configured.
        ground: What is fitted on.
        seed: The experiment's.
        run: The directory of a run whose decisions have begun: it keeps its weights.
        progress: Is told where the weights came from, and how far a fit is.
    """
    if mind.student is not None:
        from groundlings.experiments.labs.distil.scorer import StudentScorer
        from groundlings.experiments.labs.distil.student_file import read_student

        file = read_student(context.base_directory / mind.student)
        evidence = ground.taste(mind.fit_seed).evidence
        scorer: PairScorer = StudentScorer(file, ground.population, evidence, ground.dataset)
    else:
        assert context.model is not None
        scorer = LanguageScorer(ground.population, context.model, mind.question)
    term = await weigh_scores(
        mind,
        ground,
        scorer,
        check_lost=partial(refuse_unreadable, limit=mind.max_unreadable, key="mind"),
        base=context.base_directory,
        asked=mind.model,
        run=run,
        progress=progress,
    )
    # The weights were fitted with this evidence: another seed's would be a little different.
    kept = TasteWeights.from_dict(term.calibration.taste)
    return replace(context, language_term=term, fit_taste=partial(ground.taste, seed, kept))


async def find_language_term(
    options: LanguageTermOptions,
    ground: CalibrationGround,
    model: ChatModel,
    *,
    check_lost: CheckLost,
    base: Path,
    asked: ModelConfig,
    run: Path | None = None,
    progress: Progress = SILENT,
) -> LanguageTerm:
    """As `weigh_scores`, of what a model says."""
    scorer = LanguageScorer(ground.population, model, options.question)
    return await weigh_scores(
        options,
        ground,
        scorer,
        check_lost=check_lost,
        base=base,
        asked=asked,
        run=run,
        progress=progress,
    )


async def weigh_scores(
    options: LanguageTermOptions,
    ground: CalibrationGround,
    scorer: PairScorer,
    *,
    check_lost: CheckLost,
    base: Path,
    asked: ModelConfig,
    run: Path | None = None,
    progress: Progress = SILENT,
) -> LanguageTerm:
    """The weights that fit, fitted now where there are none.

    Args:
        options: Of the mind.
        ground: What is fitted on.
        scorer: Asks a model, or a student of its answers.
        check_lost: Refuses too many unreadable answers, wherever the weights come from; a run keeps its own.
        base: From where the path of `options.calibration` counts.
        asked: How the model is reached.
        run: The directory of a run whose decisions have begun: it keeps its weights.
        progress: Is told where the weights came from, and how far a fit is.

    Raises:
        ConfigError: The named file, or the run's, does not fit the experiment.
        DataError: It is damaged, or nothing can be fitted.
        TooMuchUnreadable: The weights rest on a model of which too many answers could not be read.
    """
    wanted = ground.wanted(options, scorer)
    if run is not None:
        found, source = _of_run(run / FILE_NAME, wanted), "this run"
    elif options.calibration is not None:
        found, source = _named(base / options.calibration, wanted), str(options.calibration)
    else:
        kept = next(_fitting(wanted, asked), None)
        if kept is None:
            kept = await _fit(wanted, ground, scorer, check_lost, asked, progress), "fitted for this run"
        found, source = kept
    if run is None:
        check_lost(found.labels.unreadable, found.labels.asked)
    low, high = found.language.interval
    labels = found.labels
    lost = f"; {labels.unreadable:,} of {labels.asked:,} answers unreadable" if labels.unreadable else ""
    progress.event(
        Note(
            f"calibration: {source}; language weight {found.language.value:+.3f} "
            f"(95 % {low:+.3f} to {high:+.3f}) a standard deviation{lost}"
        )
    )
    return LanguageTerm(scorer, found, source)


def people_at_once(model: ModelConfig) -> int:
    """How many people to ask a model about side by side: as many as a server has places for, one in this process."""
    return 1 if model.provider == "embedded" else max(model.concurrency, model.vllm.batch * (model.provider == "vllm"))


def cache_directory() -> Path:
    """Where fitted weights are kept: `$GROUNDLINGS_CACHE/calibrations`, else the user's cache directory."""
    return user_cache(CACHE_VARIABLE) / "calibrations"


def _named(path: Path, wanted: FittedFor) -> Calibration:
    found = read_calibration(path)
    if differences := found.fitted_for.mismatches(wanted, size=False):
        raise ConfigError(
            f"mind.calibration: {path} was fitted for something else: {'; '.join(differences)}; "
            "make one with `groundlings calibrate CONFIG --out FILE`, or leave the key out"
        )
    return found


def _of_run(path: Path, wanted: FittedFor) -> Calibration:
    """The weights by which a run has decided so far; whether they are the same still is for `changes` to say."""
    try:
        found = read_calibration(path)
        TasteWeights.from_dict(found.taste)
    except (UserError, KeyError, TypeError, ValueError) as fault:
        said = str(fault) if isinstance(fault, UserError) else f"{path}: its taste cannot be read ({in_words(fault)})"
        raise DataError(
            f"{said}. All decisions of this run so far were made by these weights, and no others may take their place: "
            "restore the file from a copy, or start a new run"
        ) from None
    if found.fitted_for.evidence != wanted.evidence or found.fitted_for.evidence_version != wanted.evidence_version:
        raise ConfigError(
            f"{path}: these weights are of other behavioural features than this version of Groundlings has (version "
            f"{found.fitted_for.evidence_version}, needed {wanted.evidence_version}); go on with the version that the "
            "run began with, or start a new run"
        )
    return found


def _fitting(wanted: FittedFor, asked: ModelConfig) -> Iterator[tuple[Calibration, str]]:
    """What was fitted before and fits, with its source; a file that cannot be read is passed by."""
    cache, shipped = cache_directory(), Path(str(files("groundlings.experiments") / "calibrations"))
    places = [
        *((path, f"fitted before, {path}") for path in sorted(cache.glob(f"{_stem(wanted, asked)}-*.json"))),
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
    scorer: PairScorer,
    check_lost: CheckLost,
    asked: ModelConfig,
    progress: Progress,
) -> Calibration:
    line = f"calibration: fitting on at most {wanted.people} validation people, {wanted.pairs} pairs each"
    progress.event(Note(line))
    found = await fit_calibration(
        wanted,
        ground.dataset,
        ground.split,
        ground.taste(wanted.seed),
        scorer,
        people_at_once=people_at_once(asked),
        on_pairs=on_pairs(progress),
        check_lost=partial(check_lost, scorers=[scorer]),
    )
    cache = cache_directory()
    cache.mkdir(parents=True, exist_ok=True)
    fingerprint = hashlib.sha256(wanted.model_fingerprint.encode()).hexdigest()
    write_text(cache / f"{_stem(wanted, asked)}-{fingerprint[:8]}.json", found.as_text())
    return found


def _stem(wanted: FittedFor, asked: ModelConfig) -> str:
    """The cache's name for weights, but for the model's fingerprint: a replay knows only the model's name.

    Many servers call what they serve by one name ("default"), so whom they were fitted for is told by the address, too.
    """
    server = {"server": asked.server} if asked.server else {}
    content = json.dumps({**wanted.model_dump(mode="json", exclude={"model_fingerprint"}), **server}, sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()[:16]
