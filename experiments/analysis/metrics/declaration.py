"""A metric as a value: what it is called, what it means, and where its numbers come from.

Each metric is a ratio of two totals of one agent in one arm. An agent whose denominator is zero has no value, is left
out and counted. There are two ways to declare one of your own; both give a numerator and a denominator per agent and
arm. In SQL, over the tables of docs/log.md:

    FIRST_SLOT = Metric(
        name="first_slot_clicks",
        definition="Click-through rate of the first slot of a page.",
        unit="share of impressions",
        denominator="impression in a first slot whose outcome is known",
        higher_is_better=True,
        needs=frozenset({"click"}),
        sql='''
            SELECT arm_id, agent_id, day,
                   count(CASE WHEN clicked THEN 1 END) AS numerator, count(clicked) AS denominator
            FROM impressions JOIN sessions USING (session_id)
            WHERE impressions.position = 0
            GROUP BY arm_id, agent_id, day
        ''',
    )

As a function of DataFrames, whose parameters are named after what it reads (`LogReader.impressions`, `sessions`,
`events`, `calls`, `interactions`, `agents`, `items`, `arms`):

    def spread(interactions):
        clicks = interactions.groupby(["arm", "user_id"]).item_id
        return clicks.agg(numerator="nunique", denominator="size").reset_index()

    DIFFERENT = Metric(
        name="different_items", definition="Different items clicked, divided by clicks.", unit="share of clicks",
        denominator="click", higher_is_better=None, function=spread, needs=frozenset({"click"}),
    )

The experiment file names it: `metrics: [shipped, my_metrics:FIRST_SLOT]`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    import pandas as pd

    from groundlings.experiments.analysis.metrics.scanning import Scanned

MetricFunction: TypeAlias = "Callable[..., pd.DataFrame]"
"""DataFrames of a log in; out one row per agent and arm: arm, user_id, numerator, denominator."""

MetricScan: TypeAlias = "Callable[[Scanned], pd.DataFrame | str]"
"""A log with what lies beside it in; out as SQL gives it, with `day`, or why it cannot be told."""

_NAME = re.compile(r"[a-z][a-z0-9_]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One metric; it needs a `sql`, a `function` or a `scan`, one of them.

    Attributes:
        name: Key in `summary.json` and in the experiment file: lower-case letters, digits and underscores.
        definition: What it is, for people, in a sentence.
        unit: What it is counted in; intervals of a "share of ...", or of what is counted from "0 to 1", stay within.
        denominator: What the numerator is divided by, in words and as one of them ("session"); of a shipped metric the
            name of a total.
        higher_is_better: None where neither direction is good in itself.
        sql: One row per agent and arm: arm_id, agent_id, numerator, denominator, and `day` where the metric is to be
            shown day by day (then one row per day as well). Of a shipped metric its value alone: `value`.
        function: The same from DataFrames; it is called once for all days, and once for each.
        scan: Of a metric that comes with Groundlings and needs what the data tell of items: the same from the log and
            its background.
        label: Heading in reports; made of the name if empty.
        decimals: How many a report prints.
        left_out: Which agents have no value, in words; made of the denominator if empty.
        source: Where the metric was defined before, if it was.
        needs: Actions that an environment must offer for the metric to mean anything.
        needs_one: Actions of which it must offer at least one, such as `rate` and `like` for a share of likes.
        measures_choice: Whether it tells which of the items that they are shown people choose: clicks, interactions or
            likes per session, or the share of impressions that are clicked. Held-out interactions and logged exposures
            then say something about the sign of its effects; of stars, satisfaction or exits they say nothing.
        money: Whether its values are amounts of money, which few agents may carry: `compare` then says what their
            interval rests on.
        numerator: Of a shipped metric the name of a total (`totals.TOTALS`); "" = `sql` or `function` tells.
        least, most: The smallest and the largest value that is possible, at which intervals end; None = none is known.
            A share has its own. The scale of ratings is that of the data.

    Raises:
        ValueError: What was declared does not fit together.
    """

    name: str
    definition: str
    unit: str
    denominator: str
    higher_is_better: bool | None = None
    sql: str | None = None
    function: MetricFunction | None = None
    scan: MetricScan | None = None
    label: str = ""
    decimals: int = 3
    left_out: str = ""
    source: str = ""
    needs: frozenset[str] = frozenset()
    needs_one: frozenset[str] = frozenset()
    measures_choice: bool = False
    money: bool = False
    numerator: str = ""
    least: float | None = None
    most: float | None = None

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"metric {self.name!r}: a name has lower-case letters, digits and underscores")
        if [self.sql, self.function, self.scan].count(None) != 2:
            raise ValueError(f"metric {self.name}: give either `sql` or `function`")
        words = {key: getattr(self, key) for key in ("definition", "unit", "denominator")}
        if empty := [key for key, said in words.items() if not isinstance(said, str) or not said.strip()]:
            raise ValueError(f"metric {self.name}: {' and '.join(empty)} must say something")
        if self.higher_is_better not in (True, False, None):
            raise ValueError(f"metric {self.name}: higher_is_better: expected True, False or None")
        for key in ("needs", "needs_one"):
            if isinstance(getattr(self, key), str):
                raise ValueError(f"metric {self.name}: {key} is a text; expected a set of actions")
        if not self.label:
            object.__setattr__(self, "label", self.name.replace("_", " ").capitalize())
        if not self.left_out:
            object.__setattr__(self, "left_out", f"agents without any {self.denominator}")
        object.__setattr__(self, "needs", frozenset(self.needs))
        object.__setattr__(self, "needs_one", frozenset(self.needs_one))

    def lacking(self, actions: Collection[str]) -> str:
        """Which actions it needs besides those that an environment offers, in words; "" where it can be measured."""
        lacking = " and ".join(sorted(self.needs - frozenset(actions)))
        if self.needs_one and not self.needs_one & frozenset(actions):
            lacking = " and ".join(filter(None, (lacking, " or ".join(sorted(self.needs_one)))))
        return lacking

    @property
    def rests_on_ratings(self) -> bool:
        """Whether it is about what people think of items, so that its effects rest on P(like) or on stars."""
        return "rate" in self.needs | self.needs_one

    @property
    def is_share(self) -> bool:
        """Whether its values lie between 0 and 1, as its unit says."""
        return self.unit.startswith("share of ") or self.unit == "0 to 1"

    @property
    def bounds(self) -> tuple[float | None, float | None]:
        """The smallest and the largest value that is possible, None where none is known."""
        return (0.0, 1.0) if self.is_share else (self.least, self.most)

    @property
    def shipped(self) -> bool:
        """Whether it is a ratio of two totals that every summary sums up anyway."""
        return bool(self.numerator)

    @property
    def totals(self) -> tuple[str, str]:
        """Keys of numerator and denominator in `Totals.columns`."""
        if self.shipped:
            return self.numerator, self.denominator
        return f"{self.name}: numerator", f"{self.name}: denominator"

    def as_dict(self) -> dict[str, Any]:
        """The declaration as plain JSON values; of a shipped metric with SQL for n, mean and variance per arm."""
        described = {
            "name": self.name,
            "label": self.label,
            "definition": self.definition,
            "unit": self.unit,
            "decimals": self.decimals,
            "higher_is_better": self.higher_is_better,
            "left_out": self.left_out,
            "measures_choice": self.measures_choice,
            "numerator": self.numerator,
            "denominator": self.denominator,
            "sql": per_arm_sql(self) if self.shipped else self.sql,
        }
        if self.shipped:
            return described
        code = self.function or self.scan
        function = None if code is None else f"{code.__module__}:{code.__qualname__}"
        one = {"needs_one": sorted(self.needs_one)} if self.needs_one else {}
        return {**described, "function": function, "source": self.source, "needs": sorted(self.needs), **one}


def per_arm_sql(metric: Metric) -> str:
    """SQL that recomputes a shipped metric from the log alone: arm, n, mean and variance (of n - 1), in YAML order."""
    per_agent = "\n".join("  " + line for line in (metric.sql or "").splitlines())
    return f"""\
WITH per_agent AS (
{per_agent}
), centred AS (
  SELECT arm_id, value, avg(value) OVER (PARTITION BY arm_id) AS mean
  FROM per_agent
  WHERE value IS NOT NULL
)
SELECT arms.name AS arm, count(*) AS n, mean, sum((value - mean) * (value - mean)) / (count(*) - 1) AS variance
FROM centred JOIN arms USING (arm_id)
GROUP BY arms.arm_id, arms.name, arms.position, mean
ORDER BY arms.position"""
