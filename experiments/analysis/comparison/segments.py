"""Effects on parts of the audience: by activity, taste and demographics, and who lost by the change."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import chdtrc, fdtrc

from groundlings.environments.arrays import FloatArray
from groundlings.experiments.analysis.compare import Difference
from groundlings.experiments.analysis.comparison.multiplicity import benjamini_hochberg, holm
from groundlings.experiments.analysis.comparison.persona_columns import Personas, persona_columns
from groundlings.experiments.analysis.comparison.texts import Texts

if TYPE_CHECKING:
    from groundlings.experiments.analysis.comparison.estimators import Estimator

FEWEST = 20
"""Agents a segment needs to be looked at; smaller ones are put together under "others"."""
MOST_LEVELS = 30
"""An attribute with more values than this names people, not groups (zip codes), and is left out."""

_LEVELS = ("low", "medium", "high")
OTHERS = "others"


@dataclass(frozen=True, slots=True)
class Segment:
    """The effect on one part of the audience.

    Attributes:
        attribute, level: What these agents share, e.g. "activity", "high".
        effect: Among them.
        adjusted_p: By Benjamini and Hochberg over all segments of the arm; None without a p value.
    """

    attribute: str
    level: str
    effect: Difference
    adjusted_p: float | None


@dataclass(frozen=True, slots=True)
class Contrast:
    """Whether the effect differs between the levels of an attribute.

    Attributes:
        attribute: Which.
        adjusted_p: Of `Estimator.heterogeneity`, by Holm over the attributes.
    """

    attribute: str
    adjusted_p: float


def levels_of(personas: Personas) -> dict[str, Texts]:
    """Attribute -> the level of each agent, "" where unknown, in the order of the personas.

    Traits come in the thirds that the persona was given. Ages are cut into thirds of the agents where there are many of
    them; other attributes are taken as they are.
    """
    columns = persona_columns(personas)
    found = dict(columns.levels)
    for name, values in columns.demographics.items():
        several = len(values.values)
        if name == "age" and several > MOST_LEVELS:
            found[name] = thirds(values)
        elif several <= MOST_LEVELS:
            found[name] = _pooled(values)
    return {name: levels for name, levels in found.items() if len(levels.known) > 1}


def effects_by_segment(
    arm: FloatArray, baseline: FloatArray, levels: Mapping[str, Sequence[str]], estimator: Estimator
) -> tuple[tuple[Segment, ...], tuple[Contrast, ...]]:
    """The effect on every segment of enough agents, and whether it differs within each attribute.

    Args:
        arm, baseline: One value per agent, shape (n_agents,), NaN where there is none.
        levels: As `levels_of` gives them.
        estimator: How arms of the design are compared.
    """
    segments, attributes, tests = [], [], []
    for attribute, of_agents in levels.items():
        texts, groups = Texts.of(of_agents), []
        for level in in_order(texts.known):
            here = texts.are(level)
            effect = estimator.among(here).difference(arm[here], baseline[here])
            if effect.n >= FEWEST:
                segments.append(Segment(attribute, level, effect, None))
                groups.append((arm[here], baseline[here]))
        p_value = estimator.heterogeneity(groups)
        if p_value is not None:
            attributes.append(attribute)
            tests.append(p_value)
    known = [place for place, segment in enumerate(segments) if segment.effect.p_value is not None]
    adjusted = benjamini_hochberg([segments[place].effect.p_value or 0.0 for place in known])
    for place, p_value in zip(known, adjusted, strict=True):
        segments[place] = replace(segments[place], adjusted_p=float(p_value))
    contrasts = tuple(Contrast(name, float(p)) for name, p in zip(attributes, holm(tests), strict=True))
    return tuple(segments), contrasts


def welch_anova_p_value(groups: Sequence[FloatArray]) -> float | None:
    """p of "all groups have the same mean", variances free to differ; None where fewer than two groups vary.

    Welch (1951), "On the comparison of several mean values: an alternative approach", Biometrika 38.
    """
    varied = [group for group in groups if len(group) > 1 and group.var() > 0]
    k = len(varied)
    if k < 2:
        return None
    n = np.array([len(group) for group in varied], dtype=np.float64)
    means = np.array([group.mean() for group in varied])
    weights = n / np.array([group.var(ddof=1) for group in varied])
    centre = (weights * means).sum() / weights.sum()
    spread = ((1 - weights / weights.sum()) ** 2 / (n - 1)).sum()
    statistic = (weights * (means - centre) ** 2).sum() / (k - 1) / (1 + 2 * (k - 2) / (k**2 - 1) * spread)
    return float(fdtrc(k - 1, (k**2 - 1) / (3 * spread), statistic))


def heterogeneity_p_value(effects: Sequence[Difference]) -> float | None:
    """p of "all groups have the same effect", each with its own standard error; None where fewer than two vary.

    Cochran (1954), "The combination of estimates from different experiments", Biometrics 10: the weighted sum of
    squares around the common effect is near chi-square.
    """
    known = [(each.difference, each.standard_error) for each in effects if each.difference is not None]
    gaps, errors = (np.array([pair[place] for pair in known if pair[1]], dtype=np.float64) for place in (0, 1))
    if len(gaps) < 2:
        return None
    weights = errors**-2
    centre = (weights * gaps).sum() / weights.sum()
    return float(chdtrc(len(gaps) - 1, (weights * (gaps - centre) ** 2).sum()))


def thirds(values: Texts) -> Texts:
    """Numbers in thirds of the agents, "" where there is none; all of them unknown where nothing is a number."""
    numbers = values.numbers(_number)
    if np.isnan(numbers).all():
        return values.renamed(lambda _: "")
    lower, upper = np.nanquantile(numbers, [1 / 3, 2 / 3])
    names = (f"up to {lower:g}", f"over {lower:g} to {upper:g}", f"over {upper:g}")

    def third(value: str) -> str:
        number = _number(value)
        return "" if np.isnan(number) else names[int(number > lower) + int(number > upper)]

    return values.renamed(third)


def _number(value: str) -> float:
    return float(value) if value.replace(".", "", 1).isdigit() else np.nan


def _pooled(values: Texts) -> Texts:
    counts = values.counts()
    return values.renamed(lambda value: value if not value or counts[value] >= FEWEST else OTHERS)


def in_order(levels: Collection[str]) -> list[str]:
    """Levels as they are listed: low before high, ages upwards, "others" last, everything else by name."""

    def place(level: str) -> tuple[int, str]:
        if level in _LEVELS:
            return _LEVELS.index(level), level
        return {"up": 0, "over": 1 + (" to " not in level)}.get(level.split()[0], 3 + (level == OTHERS)), level

    return sorted(levels, key=place)
