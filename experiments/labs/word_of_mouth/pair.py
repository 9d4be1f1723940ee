"""A run whose agents have ties and the same run without: whether they are a pair, and what is in their logs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from groundlings.environments.errors import ConfigError, RunDirectoryError
from groundlings.environments.social_turns import ABOUT, SAY, TO, Told
from groundlings.experiments.labs.word_of_mouth.told import ArmLog
from groundlings.personas.social.options import TiesOptions

if TYPE_CHECKING:
    from groundlings.experiments.config.schema import ExperimentConfig
    from groundlings.experiments.running.plan import Plan
    from groundlings.simulator.log.reader import LogReader


def checked_pair(plan: Plan, other: ExperimentConfig, run: Path, without: Path) -> TiesOptions:
    """The ties of a run, if the other is the same experiment without."""
    options: TiesOptions | None = getattr(plan.config.mind, "social", None)
    if options is None:
        raise ConfigError(f"{run}: found a run without mind.social; expected one whose agents have ties")
    if getattr(other.mind, "social", None) is not None:
        raise ConfigError(
            f"{without}: its agents have ties; expected the same experiment run with --set mind.social=null"
        )
    apart = {"name", "description", "question", "log", "execution", "copy_data"}
    both = [each.model_dump(mode="json", exclude=apart) for each in (plan.config, other)]
    for each in both:
        each["mind"].pop("social")
        each["site"].pop("friends")  # there is nothing to show without ties
    differing = [key for key in both[0] if both[0][key] != both[1].get(key)]
    if differing:
        raise ConfigError(
            f"{without}: differs from {run} in {', '.join(differing)}; expected nothing but mind.social and "
            "site.friends to differ, because only then the two share their luck"
        )
    if plan.config.design.kind != "parallel":
        raise ConfigError(f"{run}: found the design {plan.config.design.kind}; expected parallel")
    return options


def arms_of(run: Path, plan: Plan) -> dict[str, ArmLog]:
    """What happened in each arm of a run that has ended, by row numbers of the data set.

    Raises:
        RunDirectoryError: It has not, or its data or file are not those of the plan.
    """
    from groundlings.experiments.running.as_it_ran import ended_log

    with ended_log(run) as log:
        about = log.run()
        if about["dataset_hash"] != plan.dataset.fingerprint:
            raise RunDirectoryError(
                f"{run}: ran with the data {about['dataset_hash'][:12]}, and the other run with "
                f"{plan.dataset.fingerprint[:12]}; expected one experiment, run twice"
            )
        return arms_in(log, plan)


def arms_in(log: LogReader, plan: Plan) -> dict[str, ArmLog]:
    """The same of an open log."""
    users = {user: row for row, user in enumerate(plan.population.people.user_ids)}
    items = {item: row for row, item in enumerate(plan.dataset.catalog.item_ids)}
    shown = log.impressions(columns=["arm", "user_id", "item_id", "day", "rank", "pscore", "clicked"])
    taken, said = log.interactions(), _said_in(log, users, items)
    for frame in (shown, taken):
        frame["user"], frame["item"] = frame.user_id.map(users), frame.item_id.map(items)
    train = plan.split.train
    return {
        arm.name: ArmLog(
            shown.loc[shown.arm == arm.name, ["user", "item", "day", "rank", "pscore", "clicked"]],
            taken.loc[taken.arm == arm.name, ["user", "item", "day", "rating"]],
            train.n_users,
            train.n_items,
            None if said is None else said[said.arm == arm.name].drop(columns="arm").reset_index(drop=True),
        )
        for arm in plan.config.arms
    }


def _said_in(log: LogReader, users: Mapping[str, int], items: Mapping[str, int]) -> pd.DataFrame | None:
    """What was said in social turns, one row per person told: arm, teller, hearer, item, day; None without turns."""
    if TO not in (log.action_names() or ()):
        return None
    events = log.events(columns=["arm", "user_id", "day", "session_id", "kind", "detail"])
    rows = []
    for session_id, of in events[events.kind.isin((TO, ABOUT, SAY))].groupby("session_id"):
        try:
            teller, told = users[of.user_id.iloc[0]], Told.of(0, dict(zip(of.kind, of.detail, strict=True)))
            assert told is not None  # it is in the log
            heard = [(users[hearer], items[told.about], int(of.day.iloc[0])) for hearer in told.to]
        except (KeyError, ValueError) as fault:
            said = f"{fault} is neither a user nor an item of the data" if isinstance(fault, KeyError) else fault
            raise RunDirectoryError(
                f"{log}: the log is damaged: events of session {session_id}: {said}; restore it from a copy"
            ) from None
        rows += [(of.arm.iloc[0], teller, *each) for each in heard]
    return pd.DataFrame(rows, columns=["arm", "teller", "hearer", "item", "day"])


def with_ids(told: pd.DataFrame, plan: Plan) -> pd.DataFrame:
    """Who told whom, arm first, with the data set's own ids."""
    users, items = np.array(plan.population.people.user_ids), np.array(plan.dataset.catalog.item_ids)
    named = told.assign(
        teller=users[told.teller.to_numpy(dtype=np.int64)],
        hearer=users[told.hearer.to_numpy(dtype=np.int64)],
        item=items[told["item"].to_numpy(dtype=np.int64)],
    )
    return named[["arm", *(name for name in told.columns if name != "arm")]]
