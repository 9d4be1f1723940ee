"""Metrics of what is bought: money, baskets, conversion, carts left behind, repeats; and of how long people stay.

They count the events `add_to_cart`, `purchase`, `quantity`, `paid` (money for all units of a purchase) and `cost` (the
seller's, of the same units), and exist only where an environment offers these actions. Names and definitions are those
of web analytics (Kohavi, Tang and Xu 2020, "Trustworthy online controlled experiments", chapters 6 and 7; Jannach and
Jugovac 2019, "Measuring the business value of recommender systems", ACM TMIS 10).

What is unknown is never zero: a session with a lost page is left out, and so is one with a purchase whose price (or
cost) nobody knows, because its money would have to be guessed. A purchase without a `paid` event has no known price.
Money is heavy-tailed: a few agents can carry the mean, and `compare` says how many carry it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from groundlings.experiments.analysis.metrics.background import MISSING
from groundlings.experiments.analysis.metrics.declaration import Metric

if TYPE_CHECKING:
    import pandas as pd

    from groundlings.experiments.analysis.metrics.scanning import Scanned

_ANALYTICS = "Kohavi, Tang and Xu 2020, Trustworthy online controlled experiments, chapters 6 and 7"
_VALUE = "Jannach and Jugovac 2019, Measuring the business value of recommender systems"

_SESSIONS = """\
SELECT arm_id, agent_id, day, {numerator} AS numerator, {denominator} AS denominator
FROM sessions LEFT JOIN (
  SELECT session_id, count(CASE WHEN kind = 'purchase' THEN 1 END) AS purchases,
         count(CASE WHEN kind = 'add_to_cart' THEN 1 END) AS carted,
         count(CASE WHEN kind = 'paid' THEN 1 END) AS priced, sum(CASE WHEN kind = 'paid' THEN value END) AS paid,
         count(CASE WHEN kind = 'cost' THEN 1 END) AS costed, sum(CASE WHEN kind = 'cost' THEN value END) AS cost,
         count(CASE WHEN kind = 'quantity' THEN 1 END) AS counted,
         sum(CASE WHEN kind = 'quantity' THEN value END) AS units
  FROM events
  WHERE kind IN ('purchase', 'add_to_cart', 'paid', 'cost', 'quantity')
  GROUP BY session_id
) AS done ON done.session_id = sessions.session_id
WHERE ended_by NOT IN ('unreadable', 'unanswerable')
GROUP BY arm_id, agent_id, day"""
"""Sessions all of whose pages could be read, with what was done in each; NULL where nothing was."""


def _summed(value: str, where: str, counted: str = "1") -> str:
    """SQL that gives, per agent and day, sums over the sessions for which a condition holds."""
    return _SESSIONS.format(
        numerator=f"sum(CASE WHEN {where} THEN {value} ELSE 0 END)",
        denominator=f"sum(CASE WHEN {where} THEN {counted} ELSE 0 END)",
    )


_PRICED = "coalesce(purchases, 0) = coalesce(priced, 0)"
_COSTED = f"{_PRICED} AND coalesce(purchases, 0) = coalesce(costed, 0)"
_BOUGHT = "coalesce(purchases, 0) > 0"


def repeated(run: Scanned) -> pd.DataFrame | str:
    """Purchases of an item that the user had before, in the training part or earlier in the run, and all purchases."""
    log, background = run.log, run.background
    if background is None:
        return MISSING
    bought = log.purchases()
    key = ["arm_id", "agent_id", "item_id"]
    agents, items = log.agent_ids(), log.item_numbers()
    had = {(agents[agent], items[item]) for agent, item in background.repeats}
    before = np.array([pair in had for pair in zip(bought.agent_id, bought.item_id, strict=True)], dtype=np.bool_)
    bought["numerator"] = (bought.duplicated(key).to_numpy() | before).astype(np.float64)
    bought["denominator"] = 1.0
    return bought.groupby(["arm_id", "agent_id", "day"], as_index=False)[["numerator", "denominator"]].sum()


SHOP: tuple[Metric, ...] = (
    Metric(
        name="revenue_per_session",
        definition="Money paid for everything bought, divided by sessions; a session without a purchase counts as zero."
        " Sessions with a purchase whose price is not known are left out.",
        unit="money per session",
        least=0.0,
        denominator="session with known prices",
        decimals=2,
        higher_is_better=True,
        money=True,
        source=_ANALYTICS,
        needs=frozenset({"purchase", "paid"}),
        sql=_summed("coalesce(paid, 0)", _PRICED),
    ),
    Metric(
        name="margin_per_session",
        definition="Money paid less the seller's cost of what was bought, divided by sessions; a session without a"
        " purchase counts as zero. Sessions with a purchase whose price or cost is not known are left out.",
        unit="money per session",
        denominator="session with known prices and costs",
        decimals=2,
        higher_is_better=True,
        money=True,
        source=_VALUE,
        needs=frozenset({"purchase", "paid", "cost"}),
        sql=_summed("coalesce(paid, 0) - coalesce(cost, 0)", _COSTED),
    ),
    Metric(
        name="basket_size",
        definition="Different items bought in a session, over sessions with a purchase.",
        unit="items per basket",
        least=1.0,
        denominator="session with a purchase",
        decimals=2,
        higher_is_better=True,
        source=_VALUE,
        needs=frozenset({"purchase"}),
        sql=_summed("purchases", _BOUGHT),
    ),
    Metric(
        name="basket_units",
        definition="Units bought in a session, over sessions with a purchase. Sessions with a purchase whose quantity"
        " is not known are left out.",
        unit="units per basket",
        least=0.0,
        denominator="session with a purchase and known quantities",
        decimals=2,
        higher_is_better=True,
        source=_VALUE,
        needs=frozenset({"purchase", "quantity"}),
        sql=_summed("units", f"{_BOUGHT} AND purchases = counted"),
    ),
    Metric(
        name="basket_value",
        definition="Money paid in a session, over sessions with a purchase (average order value). Sessions with a"
        " purchase whose price is not known are left out.",
        unit="money per basket",
        least=0.0,
        denominator="session with a purchase and known prices",
        decimals=2,
        higher_is_better=True,
        money=True,
        source=_ANALYTICS,
        needs=frozenset({"purchase", "paid"}),
        sql=_summed("paid", f"{_BOUGHT} AND {_PRICED}"),
    ),
    Metric(
        name="conversion",
        label="Conversion rate",
        definition="Sessions with a purchase, divided by sessions.",
        unit="share of sessions",
        denominator="session",
        higher_is_better=True,
        measures_choice=True,
        source=_ANALYTICS,
        needs=frozenset({"purchase"}),
        sql=_SESSIONS.format(numerator=f"sum(CASE WHEN {_BOUGHT} THEN 1 ELSE 0 END)", denominator="count(*)"),
    ),
    Metric(
        name="cart_abandonment",
        definition="Sessions with something in the cart and no purchase, divided by sessions with something in the"
        " cart.",
        unit="share of sessions with a cart",
        denominator="session with something in the cart",
        higher_is_better=False,
        source="Kukar-Kinney and Close 2010, The determinants of consumers' online shopping cart abandonment",
        needs=frozenset({"add_to_cart", "purchase"}),
        sql=_summed("CASE WHEN purchases = 0 THEN 1 ELSE 0 END", "coalesce(carted, 0) > 0"),
    ),
    Metric(
        name="repeat_rate",
        definition="Purchases of an item that the user had before, in the training part of the history or earlier in"
        " the run, divided by purchases.",
        unit="share of purchases",
        denominator="purchase",
        higher_is_better=None,
        source="Anderson, Kumar, Tomkins and Vassilvitskii 2014, The dynamics of repeat consumption",
        needs=frozenset({"purchase"}),
        scan=repeated,
    ),
    Metric(
        name="dwell",
        label="Dwell",
        definition="Mean of the numbers that the environment declares as `dwell`: how long an item held somebody, in"
        " the environment's own unit. Items without such a number are left out.",
        unit="as declared, per item",
        denominator="item with a known dwell",
        decimals=2,
        higher_is_better=True,
        source="Yi, Hong, Zhong, Liu and Rajan 2014, Beyond clicks: dwell time for personalization",
        needs=frozenset({"dwell"}),
        sql="""\
SELECT arm_id, agent_id, day, sum(value) AS numerator, count(value) AS denominator
FROM events JOIN sessions USING (session_id)
WHERE kind = 'dwell' AND value IS NOT NULL
GROUP BY arm_id, agent_id, day""",
    ),
)
"""Measured by default wherever an environment offers what they need."""
