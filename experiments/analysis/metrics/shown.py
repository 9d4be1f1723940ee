"""Metrics of what is shown, whether anybody clicks or not: how popular it is, how new, and how varied a page is.

Each is one number per agent and arm, so that arms are compared as on any metric. What is one number per arm, such as
the coverage of the catalog, is in `groundlings.experiments.analysis.metrics.lists`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from groundlings.experiments.analysis.metrics.background import MISSING
from groundlings.experiments.analysis.metrics.declaration import Metric
from groundlings.experiments.analysis.metrics.scanning import BY_DAY

if TYPE_CHECKING:
    import pandas as pd

    from groundlings.experiments.analysis.metrics.scanning import Scanned

NO_CATEGORIES = f"no item of this run has a category, and {MISSING}"


def popularity(run: Scanned) -> pd.DataFrame | str:
    """Sum of the shown items' popularity, and impressions."""
    return MISSING if run.background is None else _parts(run, "popularity", "shown")


def novelty(run: Scanned) -> pd.DataFrame | str:
    """Sum of the shown items' self-information, and impressions."""
    return MISSING if run.background is None else _parts(run, "novelty", "shown")


def diversity(run: Scanned) -> pd.DataFrame | str:
    """Sum over pages of the mean distance of their pairs of items, and pages with two items that can be compared."""
    return _parts(run, "distance", "pages") if run.vectors.nnz else NO_CATEGORIES


def _parts(run: Scanned, numerator: str, denominator: str) -> pd.DataFrame:
    found = run.pages[[*BY_DAY, numerator, denominator]]
    return found.rename(columns={numerator: "numerator", denominator: "denominator"})


SHOWN: tuple[Metric, ...] = (
    Metric(
        name="mean_popularity",
        label="Popularity of what is shown",
        definition="Mean, over impressions, of the share of users who had the item in the training part.",
        unit="share of users",
        denominator="impression",
        higher_is_better=None,
        source="Abdollahpouri, Burke and Mobasher 2019, Managing popularity bias in recommender systems",
        scan=popularity,
    ),
    Metric(
        name="novelty",
        definition="Mean, over impressions, of -log2 p: p is the share of users who had the item in the training part,"
        " with one user added who had all items.",
        unit="bits",
        denominator="impression",
        decimals=2,
        higher_is_better=None,
        source="Zhou et al. 2010, Solving the apparent diversity-accuracy dilemma of recommender systems",
        scan=novelty,
    ),
    Metric(
        name="diversity",
        label="Diversity of a page",
        definition="Mean, over pages, of 1 - cosine between the categories of all pairs of items of the page"
        " (intra-list diversity); of a catalog without categories, between the users who had the items in the training"
        " part (co-occurrence). Items without either are left out.",
        unit="0 to 1",
        denominator="page with two items that can be compared",
        higher_is_better=None,
        source="Smyth and McClave 2001, Similarity vs. diversity; Ziegler et al. 2005, Improving recommendation lists"
        " through topic diversification",
        scan=diversity,
    ),
)
"""Measured where the experiment file names them; every report holds them per arm."""
