"""Whole numbers and hazards beyond all measure are refused where they are written, and no array meets them."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from groundlings.environments.datasets.config import ToyOptions
from groundlings.experiments.config.designs import SplitDesign
from groundlings.experiments.config.layout import GridLayoutConfig
from groundlings.experiments.config.returning import AfterSessionConfig, ArrivalsConfig, ReturnsConfig
from groundlings.experiments.config.schema import ExperimentConfig
from groundlings.experiments.labs.distil.config import DistilConfig
from groundlings.experiments.labs.fidelity.config import FidelityConfig
from groundlings.experiments.labs.train_mind.config import TrainMindConfig
from groundlings.experiments.labs.warmup.config import WarmupConfig
from groundlings.personas.minds.browsing_options import BrowsingOptions
from groundlings.personas.minds.calibrated import LanguageTermOptions
from groundlings.personas.social.opinion_options import DeGroot
from groundlings.personas.social.options import SocialOptions
from groundlings.personas.social.spread_options import IndependentCascade
from groundlings.recommenders.rule_options import CapRule
from groundlings.simulator.language.config import EmbeddedOptions


@pytest.mark.parametrize(
    ("section", "values"),
    [
        (CapRule, {"per": "category", "at_most": 2**63}),
        (GridLayoutConfig, {"kind": "grid", "columns": 10**30}),
        (SplitDesign, {"kind": "split", "shares": {"a": 1e308, "b": 1e308}}),
        (SplitDesign, {"kind": "split", "shares": {"a": float("inf"), "b": 1}}),
        (ArrivalsConfig, {"share": 0.5, "over_days": 10**30}),
        (AfterSessionConfig, {"satisfaction": 1e308}),
        (ReturnsConfig, {"kind": "stated", "family": "weibull", "median_days": 2, "shape": 1e308}),
        (ReturnsConfig, {"kind": "stated", "median_days": 2, "spread": 1e308}),
        (BrowsingOptions, {"patience": 1e308}),
        (BrowsingOptions, {"enough": 1e-320}),
        (SocialOptions, {"ties": "ties.csv", "likes": 1e308}),
        (SocialOptions, {"ties": "ties.csv", "likes": -5000}),
        (SocialOptions, {"ties": "ties.csv", "likes": 1, "dislikes": -1e308}),
        (SocialOptions, {"ties": "ties.csv", "likes": 1, "seed": 10**23}),
        (IndependentCascade, {"model": "independent_cascade", "chance": 0.5, "weight": 1e308}),
        (DeGroot, {"model": "degroot", "trust": 0.5, "weight": -5000}),
        (LanguageTermOptions, {"fit_seed": 2**63}),
        (ToyOptions, {"seed": 2**63}),
        (EmbeddedOptions, {"threads": 10**20}),
        (EmbeddedOptions, {"context_tokens": 10**20}),
    ],
)
def test_a_number_beyond_all_measure_is_refused(section, values):
    with pytest.raises(ValidationError, match=r"less than|greater than|finite"):
        section.model_validate(values)


@pytest.mark.parametrize("kind", [ExperimentConfig, FidelityConfig, WarmupConfig, TrainMindConfig, DistilConfig])
def test_every_whole_number_of_a_file_has_an_upper_bound(kind):
    assert set(_unbounded(kind.model_json_schema(), "")) <= {".BoostRule.by"}, "its rule says the bounds in words"


def _unbounded(schema, path):
    """Where a JSON schema takes whole numbers of any size."""
    if isinstance(schema, list):
        for each in schema:
            yield from _unbounded(each, path)
    elif isinstance(schema, dict):
        if schema.get("type") == "integer" and not {"maximum", "exclusiveMaximum", "const", "enum"} & set(schema):
            yield path
        for name, each in schema.items():
            yield from _unbounded(each, path if name in ("properties", "$defs", "anyOf") else f"{path}.{name}")
