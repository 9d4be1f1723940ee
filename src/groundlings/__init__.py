"""Test a recommender on simulated users before real users see it.

    import groundlings as gl

    run = gl.Experiment(dataset="ml-100k", arms={"popular": "popular", "ease": "ease"}, seed=7).run()
    print(run.compare())

Importing this loads nothing; each name below is loaded when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from groundlings.environments.catalog import Catalog
    from groundlings.environments.dataset import Dataset
    from groundlings.environments.datasets.frames import Tables
    from groundlings.environments.errors import (
        BudgetExhausted,
        ConfigError,
        DataError,
        GroundlingsError,
        ProviderError,
        RunDirectoryError,
        UserError,
    )
    from groundlings.environments.interactions import Interactions
    from groundlings.experiments.analysis.metrics.declaration import Metric
    from groundlings.experiments.experiment import Experiment, open_run, resume
    from groundlings.experiments.python_api.arms import refitted
    from groundlings.experiments.python_api.checking import Checked
    from groundlings.experiments.python_api.comparison import Comparison
    from groundlings.experiments.python_api.finished import Run
    from groundlings.experiments.running.events import Progress
    from groundlings.recommenders.base import AsyncRecommender, Recommender, ScoringRecommender

try:
    __version__ = version("groundlings")
except PackageNotFoundError:  # a source tree on the path, never installed
    __version__ = "unknown"

__all__ = [
    "AsyncRecommender",
    "BudgetExhausted",
    "Catalog",
    "Checked",
    "Comparison",
    "ConfigError",
    "DataError",
    "Dataset",
    "Experiment",
    "GroundlingsError",
    "Interactions",
    "Metric",
    "Progress",
    "ProviderError",
    "Recommender",
    "Run",
    "RunDirectoryError",
    "ScoringRecommender",
    "Tables",
    "UserError",
    "__version__",
    "open_run",
    "refitted",
    "resume",
]

_HOMES = {
    "groundlings.environments.catalog": ("Catalog",),
    "groundlings.environments.dataset": ("Dataset",),
    "groundlings.environments.datasets.frames": ("Tables",),
    "groundlings.environments.errors": (
        "BudgetExhausted",
        "ConfigError",
        "DataError",
        "GroundlingsError",
        "ProviderError",
        "RunDirectoryError",
        "UserError",
    ),
    "groundlings.environments.interactions": ("Interactions",),
    "groundlings.experiments.analysis.metrics.declaration": ("Metric",),
    "groundlings.experiments.experiment": ("Experiment", "open_run", "resume"),
    "groundlings.experiments.python_api.arms": ("refitted",),
    "groundlings.experiments.python_api.checking": ("Checked",),
    "groundlings.experiments.python_api.comparison": ("Comparison",),
    "groundlings.experiments.python_api.finished": ("Run",),
    "groundlings.experiments.running.events": ("Progress",),
    "groundlings.recommenders.base": ("AsyncRecommender", "Recommender", "ScoringRecommender"),
}


def __getattr__(name: str) -> object:
    """A public name, loaded when it is first asked for (PEP 562)."""
    for home, names in _HOMES.items():
        if name in names:
            value = getattr(import_module(home), name)
            globals()[name] = value
            return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
