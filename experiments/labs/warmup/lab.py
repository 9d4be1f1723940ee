"""The measurement from beginning to end: seeds one after another, then records, claims and a log."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from groundlings.environments.arrays import FloatArray
from groundlings.environments.content import measure_content
from groundlings.environments.dataset import Dataset
from groundlings.environments.datasets import load_dataset
from groundlings.experiments.config.loading import config_hash, dump_config
from groundlings.experiments.labs.warmup import metadata
from groundlings.experiments.labs.warmup.config import (
    LanguageConfig,
    MetadataConfig,
    WarmRecommenderConfig,
    WarmupConfig,
)
from groundlings.experiments.labs.warmup.exposure import Exposures, expose_new_items
from groundlings.experiments.labs.warmup.language import ask_language_model, language_gain
from groundlings.experiments.labs.warmup.log import write_log
from groundlings.experiments.labs.warmup.outcomes import Setting
from groundlings.experiments.labs.warmup.records import Claim, How, Key, Ledger, Record
from groundlings.experiments.labs.warmup.replicate import (
    ACTIVE,
    AUDIENCE,
    CHOOSING,
    CONTENT_KNN,
    FILTER,
    JUDGEMENT,
    NONE,
    ORACLE,
    RANDOM,
    Bench,
    Trial,
    begin_trial,
)
from groundlings.experiments.labs.warmup.user_selection import select_users
from groundlings.experiments.running.events import SILENT, LabStep, Progress, on_download, on_note

RIVALS = (NONE, CONTENT_KNN, RANDOM, ACTIVE)
"""Arms that the audience must be better than."""

VERSIONS = {name: version(name) for name in ("groundlings", "numpy", "scipy", "implicit", "irspack")}

STEPS = ("fitting", "arms", "other recommenders", "refitting", "exposure on pages")
"""Steps of each seed."""

LEAKAGE = (
    "Recommenders, recall, taste and profiles read only training rows on old items. Only users of the panel can be "
    "selected, and no tested user is in the panel, so no test pair is in a pool. Only the oracle and the measures of "
    "the selection read the panel's real rows on new items. Synthetic rows are never masked."
)


@dataclass(frozen=True)
class Findings:
    """A finished measurement.

    Attributes:
        about: What was measured, plain JSON values.
        records: One per key.
        claims: About the audience at the headline volume.
        gains: What each new item adds to the difference between audience and random_n, all seeds, shape (n_items,).
    """

    about: Mapping[str, Any]
    records: Sequence[Record]
    claims: Sequence[Claim]
    gains: FloatArray

    @property
    def wins(self) -> bool:
        """Whether every claim that decides holds."""
        return all(claim.holds for claim in self.claims if decides(claim, str(self.about["recommender"])))

    def as_dict(self) -> dict[str, Any]:
        """The content of `warmup.json`; nothing in it depends on the clock."""
        return {
            "about": dict(self.about),
            "wins": self.wins,
            "records": [record.as_dict() for record in self.records],
            "claims": [claim.as_dict() for claim in self.claims],
        }


def decides(claim: Claim, recommender: str) -> bool:
    """Whether a claim is one of those declared beforehand: NDCG on new items, and the loss on old items."""
    key = claim.key
    if key.recommender != recommender or key.metric != "ndcg":
        return False
    if claim.what == "loses nothing":
        return True
    return key.arm == AUDIENCE and key.setting == "cold" and claim.against not in (FILTER, ORACLE)


def measure_warm_up(config: WarmupConfig, progress: Progress = SILENT, directory: Path | None = None) -> Findings:
    """Read the data and measure each seed.

    Args:
        config: What to measure.
        progress: Receives the progress.
        directory: Where the simulated interactions of the first seed are written as a log; None = nowhere.

    Raises:
        UserError: The message says what to do.
    """
    dataset = load_dataset(config.dataset, on_download(progress), notify=on_note(progress), base=config.base)
    content = measure_content(dataset.catalog)
    ledger = Ledger(config.bootstrap)
    steps = config.seeds * len(STEPS)
    described: dict[str, Any] = {}
    described_language: dict[str, Any] | None = None
    described_metadata: dict[str, Any] | None = None
    for number in range(config.seeds):
        tell = _teller(progress, number, steps)
        tell(0)
        trial = begin_trial(config, dataset, content, number)
        ledger.begin_seed(trial.split.new)
        tell(1)
        _measure_arms(trial, ledger)
        tell(2)
        for spec in config.others:
            _measure_at(trial, ledger, spec, Bench(trial, spec))
        tell(3)
        if config.refit:
            _refit(trial, ledger)
        tell(4)
        exposures = expose_new_items(trial, config.pages) if config.pages and number < config.pages.seeds else []
        _measure_exposures(trial, ledger, exposures)
        if number == 0:
            if directory is not None:
                write_log(directory, trial, exposures, VERSIONS)
            if config.metadata is not None:
                described_metadata = _measure_metadata(trial, ledger, config.metadata, progress, directory)
            if config.language is not None:
                described_language = _measure_language(trial, ledger, config.language, progress)
        described = dict(trial.taste.describe())
    main = config.recommender.recommender
    lead = Key(AUDIENCE, config.headline, "cold", "ndcg", main, "folded in")
    gains = ledger.item_gains(lead, Key(RANDOM, config.headline, "cold", "ndcg", main, "folded in"))
    about = _about(config, dataset, described)
    about |= {"language": described_language, "metadata": described_metadata}
    return Findings(about, ledger.records(), make_claims(config, ledger), gains)


def make_claims(config: WarmupConfig, ledger: Ledger) -> list[Claim]:
    """All claims about the audience at the headline volume."""
    main, claims = config.recommender.recommender, []
    names = list(dict.fromkeys([main, *(each.recommender for each in config.others)]))
    for recommender in names:
        settings: tuple[Setting, ...] = ("cold", "cold in all", "overall") if recommender == main else ("cold",)
        for setting in settings:
            for metric in ("ndcg", "recall"):
                key = Key(AUDIENCE, config.headline, setting, metric, recommender, "folded in")
                claims += [ledger.better(key, against) for against in (*RIVALS, FILTER, ORACLE)]
                if setting == "cold":
                    claims.append(ledger.closes_gap(key, RANDOM, ORACLE))
    if config.pages is not None:
        key = Key("audience_asked", config.headline, "cold", "ndcg", main, "folded in")
        claims.append(ledger.better(key, "audience_pages"))
    ways: tuple[How, ...] = ("folded in", "refitted") if config.refit else ("folded in",)
    old: tuple[Setting, ...] = ("warm", "warm in all")
    for how in ways:
        for setting in old:
            key = Key(AUDIENCE, config.headline, setting, "ndcg", main, how)
            claims.append(ledger.loses_nothing(key, NONE, config.margin))
    return claims


def _teller(progress: Progress, number: int, steps: int) -> Callable[[int], None]:
    def tell(step: int) -> None:
        progress.event(LabStep(number * len(STEPS) + step, steps, f"seed {number + 1}: {STEPS[step]}"))

    return tell


def _measure_arms(trial: Trial, ledger: Ledger) -> None:
    """Every arm at every volume, new items folded in, and the quality of each selection."""
    spec = trial.config.recommender
    bench = Bench(trial, spec, trial.recommender)
    without = {NONE: bench.without_warm_up(), CONTENT_KNN: bench.content_knn(), JUDGEMENT: bench.judgement()}
    for volume in trial.config.volumes:
        for arm, outcome in without.items():
            ledger.add_outcome(outcome, _parts(arm, volume, spec), trial.split.new)
        for arm in CHOOSING:
            chosen = trial.choose(arm, volume)
            ledger.add_outcome(bench.fold_in(chosen), _parts(arm, volume, spec), trial.split.new)
            found = trial.judge(arm, chosen)
            for metric, value in (("enrichment", found.enrichment), ("auc", found.auc)):
                if value is not None:
                    ledger.add(Key(setting="choice", metric=metric, **_parts(arm, volume, spec)), value)


def _measure_at(trial: Trial, ledger: Ledger, spec: WarmRecommenderConfig, bench: Bench) -> None:
    """Every arm at the headline volume, with another recommender."""
    parts = {arm: _parts(arm, trial.config.headline, spec) for arm in (NONE, CONTENT_KNN, *CHOOSING)}
    ledger.add_outcome(bench.without_warm_up(), parts[NONE], trial.split.new)
    ledger.add_outcome(bench.content_knn(), parts[CONTENT_KNN], trial.split.new)
    for arm in CHOOSING:
        chosen = trial.choose(arm, trial.config.headline)
        ledger.add_outcome(bench.fold_in(chosen), parts[arm], trial.split.new)


def _refit(trial: Trial, ledger: Ledger) -> None:
    """Both bounds, random users and the audience at the headline volume, after a refit."""
    spec = trial.config.recommender
    bench = Bench(trial, spec, trial.recommender)
    for arm in (NONE, RANDOM, AUDIENCE, ORACLE):
        chosen = None if arm == NONE else trial.choose(arm, trial.config.headline)
        ledger.add_outcome(bench.refit(chosen), _parts(arm, trial.config.headline, spec, "refitted"), trial.split.new)


def _measure_exposures(trial: Trial, ledger: Ledger, exposures: Sequence[Exposures]) -> None:
    """Selections among the users who clicked the item in each condition, with their click and interaction rates."""
    spec, volume = trial.config.recommender, trial.config.headline
    bench = Bench(trial, spec, trial.recommender) if exposures else None
    for exposure in exposures:
        parts = _parts(f"audience_{exposure.condition}", volume, spec)
        chosen = select_users(trial.user_vectors, trial.chance, exposure.clicked, volume)
        if bench is not None:
            ledger.add_outcome(bench.fold_in(chosen), parts, trial.split.new)
        ledger.add(
            Key(setting="choice", metric="take rate", **parts), float(exposure.clicked.sum() / exposure.shown.sum())
        )
        if exposure.clicked.any() and trial.interacted[exposure.shown].any():
            lift = trial.interacted[exposure.clicked].mean() / trial.interacted[exposure.shown].mean()
            ledger.add(Key(setting="choice", metric="taker lift", **parts), float(lift))


def _measure_language(trial: Trial, ledger: Ledger, options: LanguageConfig, progress: Progress) -> dict[str, Any]:
    """The first seed's arms with and without a language model's answers, and the cost of these."""
    spec = trial.config.recommender
    found = ask_language_model(trial, options, progress)
    bench = Bench(trial, spec, trial.recommender)
    for arm, chosen in found.chosen.items():
        ledger.add_outcome(bench.fold_in(chosen), _parts(arm, trial.config.headline, spec), trial.split.new)
    return {**found.about, **language_gain(bench, found)}


def _measure_metadata(
    trial: Trial, ledger: Ledger, options: MetadataConfig, progress: Progress, directory: Path | None
) -> dict[str, Any]:
    """The first seed's arms that read the items' content, with the texts that a model wrote."""
    spec, volume = trial.config.recommender, trial.config.headline
    written = metadata.write_metadata(trial, options, progress)
    if directory is not None:
        metadata.keep(written, directory)
    content = measure_content(metadata.with_texts(trial.dataset.catalog, written))
    other = begin_trial(trial.config, trial.dataset, content, trial.number)
    bench = Bench(other, spec, other.recommender)
    for arm, outcome in (
        ("content_knn_written", bench.content_knn()),
        ("audience_written", bench.fold_in(other.choose(AUDIENCE, volume))),
    ):
        ledger.add_outcome(outcome, _parts(arm, volume, spec), trial.split.new)
    plain = Bench(trial, spec, trial.recommender)
    without = {"content_knn": plain.content_knn(), "audience": plain.fold_in(trial.choose(AUDIENCE, volume))}
    return {
        **metadata.describe(written),
        "without": {arm: outcome.value("cold", "ndcg") for arm, outcome in without.items()},
    }


def _parts(arm: str, volume: int, spec: WarmRecommenderConfig, how: How = "folded in") -> dict[str, Any]:
    return {"arm": arm, "volume": volume, "recommender": spec.recommender, "how": how}


def _about(config: WarmupConfig, dataset: Dataset, taste: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": config.name,
        "description": config.description,
        "seed": config.seed,
        "seeds": config.seeds,
        "salt": config.salt,
        "headline": config.headline,
        "volumes": list(config.volumes),
        "recommender": config.recommender.recommender,
        "depth": config.depth,
        "margin": config.margin,
        "config": dump_config(config),
        "config_hash": config_hash(config),
        "dataset": dataset.name,
        "dataset_source": dataset.source,
        "dataset_licence": dataset.licence,
        "dataset_hash": dataset.fingerprint,
        "taste": dict(taste),
        "leakage": LEAKAGE,
        "versions": VERSIONS,
    }
