"""Sessions of a run in `environment: search`, held against the real ones of a log, arm by arm."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from groundlings.environments.errors import ConfigError
from groundlings.environments.search_site import SEARCH, SOURCE
from groundlings.experiments.labs.search_sessions.log import SearchLog
from groundlings.experiments.labs.search_sessions.simulated import HeldFigure, SessionPages, held_figures
from groundlings.experiments.running.as_it_ran import ended_log
from groundlings.simulator.log.reader import LogReader


@dataclass(frozen=True, slots=True)
class RunHeld:
    """What was found of a run.

    Attributes:
        figures: Those of every arm; `by` is its name.
        without_click: Arm -> share of its pages of results without a click; left out where the log has none.
    """

    figures: tuple[HeldFigure, ...]
    without_click: dict[str, float]


def held_run(run: Path, log: SearchLog, seed: int) -> RunHeld:
    """Every arm's sessions beside the real ones: as many agents, drawn at random, as there are people in a half.

    Pages without results, and sessions in which a page could not be read, are left out.

    Raises:
        ConfigError: Nobody searched in the run.
        RunDirectoryError: There is no run, or it has not ended.
    """
    real = SessionPages(log.people, log.sessions, log.clicks, log.shown)
    figures: list[HeldFigure] = []
    without: dict[str, float] = {}
    with ended_log(run) as reader:
        for arm in reader.arms()["arm"]:
            pages = _pages(reader, arm)
            if not len(pages.people):
                raise ConfigError(f"{run}: arm {arm} has no page of results; expected a run in environment: search")
            clicked = np.asarray(pages.clicks.any(axis=1))
            without[arm] = float(1 - clicked.mean())
            figures += held_figures(arm, pages.take(clicked) if log.clicked_only else pages, real, seed)
    return RunHeld(tuple(figures), without)


def _pages(reader: LogReader, arm: str) -> SessionPages:
    events = reader.events(arm, ["session_id", "page", "kind", "detail"])
    results = events.loc[(events["kind"] == SOURCE) & (events["detail"] == SEARCH), ["session_id", "page"]]
    shown = reader.impressions(arm, ["session_id", "user_id", "page", "position", "clicked"])
    shown = shown.merge(results, on=["session_id", "page"])
    lost = shown.loc[shown["clicked"].isna(), "session_id"].unique()
    shown = shown[~shown["session_id"].isin(lost)]
    rows = shown.groupby(["session_id", "page"], sort=True).ngroup().to_numpy()
    n_pages = int(rows.max(initial=-1)) + 1
    width = int(shown["position"].max()) + 1 if n_pages else 0
    places = np.zeros((2, n_pages, width), dtype=np.bool_)
    position = shown["position"].to_numpy()
    places[0, rows, position] = shown["clicked"].to_numpy(dtype=np.bool_)
    places[1, rows, position] = True
    first = np.unique(rows, return_index=True)[1]
    people = np.unique(shown["user_id"].to_numpy(), return_inverse=True)[1]
    return SessionPages(people[first], shown["session_id"].to_numpy()[first], places[0], places[1])
