"""Give a recommender an audience before it meets people.

Everything is imported from here: `groundlings.recommenders.base`, `groundlings.experiments.running.run` and so on.
"""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("groundlings")
except PackageNotFoundError:  # a source tree on the path, never installed
    __version__ = "unknown"
