"""A log as DataFrames: one row per thing, with names and the data set's own ids in the place of the log's numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

import numpy as np
from sqlalchemy import Boolean, Column, Float, Integer, Table

from groundlings.environments.errors import ConfigError, RunDirectoryError, shown
from groundlings.simulator.log import tables
from groundlings.simulator.log.columns import Row
from groundlings.simulator.log.reading.cells import odd_cell, told
from groundlings.simulator.log.reading.participants import ParticipantReader
from groundlings.simulator.log.reading.streams import given, in_order

if TYPE_CHECKING:
    import pandas as pd
    from pandas.api.extensions import ExtensionArray


@dataclass(frozen=True, slots=True)
class _Field:
    """A column of a frame: where it stands in the log, what it holds, and whose name takes the place of a number."""

    sql: str
    column: Column[Any]
    named_by: str | None = None


_SESSION = {
    "arm": _Field("sessions.arm_id", tables.sessions.c.arm_id, "arms"),
    "user_id": _Field("sessions.agent_id", tables.sessions.c.agent_id, "agents"),
    "day": _Field("sessions.day", tables.sessions.c.day),
}
_TIME = {"timestamp": _Field("sessions.sim_time", tables.sessions.c.sim_time)}
_RENAMED = {"item_id": ("item_id", "items"), "team_arm_id": ("team", "arms"), "sim_time": ("timestamp", None)}
_ABOUT_SESSIONS = ("arm_id", "agent_id", "day")


def _fields(table: Table, *keys: str, after: Mapping[str, _Field] = _SESSION) -> dict[str, _Field]:
    """The frame of a table: its keys, whose session it is, then every other column that it has or will have."""
    fields = {key: _Field(f"{table.name}.{key}", table.c[key]) for key in keys} | dict(after)
    for column in table.columns:
        name, named_by = _RENAMED.get(column.name, (column.name, None))
        if name not in fields and column.name not in _ABOUT_SESSIONS:
            fields[name] = _Field(f"{table.name}.{column.name}", column, named_by)
    return fields


SESSION_FIELDS = _fields(tables.sessions, "session_id")
IMPRESSION_FIELDS = _fields(tables.impressions, "impression_id", "session_id", after={**_SESSION, **_TIME})
EVENT_FIELDS = _fields(tables.events, "event_id", "session_id", "impression_id") | {
    "item_id": _Field(
        "(SELECT item_id FROM impressions WHERE impressions.impression_id = events.impression_id)",
        tables.events.c.impression_id,
        "items",
    )
}
CALL_FIELDS = _fields(tables.calls, "call_id", "session_id")
INTERACTION_COLUMNS = ("arm", "user_id", "item_id", "rating", "timestamp", "day", "session_id", "impression_id")


class FrameReader(ParticipantReader):
    """See `LogReader`."""

    def impressions(self, arm: str | None = None, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """One row per impression, an item in a slot of a page, in the order of happening.

        Args:
            arm: Name of the one arm that is wanted; all where absent.
            columns: Names of the columns that are wanted, in their order; all where absent.

        Returns:
            impression_id, session_id; arm (name), user_id (the data set's own); day (0 is the first), timestamp
            (seconds since 1970 on the simulated clock); page (1 is the first), position (in the page, 0 is the first),
            rank (in the session, 0 is the first); item_id (the data set's own); score (the recommender's, infinite
            where it says so, NA = none given), pscore (probability of this item in this slot), is_random (chance, not
            the score, chose it); examined, clicked (boolean, NA = unknown); rating (stars, NA = none given); p_click
            (the mind's probability of a click, NA = it states none), u_click (the uniform number held against it);
            display_position (where the mind saw the slot), team (arm whose pick the slot is, NA = lists are not
            shared); row_name (of its carousel, NA = rows have no names), place_row (row of the page, 0 is the first),
            place_slot (in that row, 0 is the first; NA = the page is one list).

        Raises:
            ConfigError: There is no such arm or column.
        """
        return self._frame(tables.impressions, ("impression_id",), IMPRESSION_FIELDS, arm, columns)

    def sessions(self, arm: str | None = None, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """One row per session, in the order of the log; arguments and errors as of `impressions`.

        Returns:
            session_id; arm (name), user_id (the data set's own); day (0 is the first), timestamp (seconds since 1970 on
            the simulated clock); policy_version (hash of what the recommender had learnt), pscore_kind (deterministic,
            exact or estimated); pages (seen), ended_by (exit, last_page, unreadable or nothing_shown), satisfaction
            (mean over the pages that were asked, 1 to 10, NA = never asked).
        """
        return self._frame(tables.sessions, ("session_id",), SESSION_FIELDS, arm, columns)

    def events(self, arm: str | None = None, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """One row per event, in the order of happening within a session; arguments and errors as of `impressions`.

        Returns:
            event_id, session_id, impression_id (NA = it concerns the page); arm (name), user_id (the data set's own);
            day (0 is the first), page (1 is the first), kind (an action, or what happened to a page), value (stars of a
            rating, satisfaction with a page, ...; NA = none), detail (text, NA = none); item_id (the data set's own,
            NA = it concerns the page).
        """
        return self._frame(tables.events, ("event_id",), EVENT_FIELDS, arm, columns)

    def calls(self, arm: str | None = None, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """One row per call to a language model, in the order of the log; arguments and errors as of `impressions`.

        Returns:
            call_id, session_id; arm (name), user_id (the data set's own); day (0 is the first), page (1 is the first);
            template, prompt_hash, model, model_fingerprint, temperature, seed (NA = none sent); status (ok, reasked,
            unreadable or unanswerable), attempts, from_store (read from a record), asked_by (agent, recommender);
            prompt_tokens, cached_tokens, completion_tokens, tokens_estimated (the server gave no believable counts),
            latency_seconds; messages, reply, first_token (texts as sent and received); form (what the reply's form was
            asked with), finish_reason (in the server's word), thought_characters (cut from the reply), team (arm whose
            recommender asked for an interleaved list, NA = no such call).
        """
        return self._frame(tables.calls, ("call_id",), CALL_FIELDS, arm, columns)

    def interactions(self, arm: str | None = None) -> pd.DataFrame:
        """One row per interaction, in the order of happening: what recommenders learn from.

        An interaction is an impression on which the agent took the action that the environment declares as such: a
        click on the feed, and perhaps a purchase in a shop.

        Returns:
            arm (name), user_id, item_id (the data set's own), rating (the number that the environment declares to come
            with an interaction, stars on the feed; NA = none given), timestamp (seconds since 1970 on the simulated
            clock), day (0 is the first), session_id, impression_id.

        Raises:
            ConfigError: There is no such arm, or the log is of an earlier version and does not say which action counts.
        """
        actions = self.logged_actions()
        if actions is None:
            raise ConfigError(
                f"{self}: this log is of an earlier version and does not say which action of its environment is an "
                "interaction; take those that are from events()"
            )
        fields = dict(IMPRESSION_FIELDS)
        if actions.strength != "rate":
            strength = given("value", actions.strength) if actions.strength else "NULL"
            fields["rating"] = _Field(f"(CAST({strength} AS DOUBLE PRECISION))", tables.impressions.c.rating)
        clicked = actions.interaction == "click"
        found = ("impressions.clicked" if clicked else f"EXISTS {given('1', actions.interaction)}",)
        return self._frame(tables.impressions, ("impression_id",), fields, arm, INTERACTION_COLUMNS, conditions=found)

    def arms(self) -> pd.DataFrame:
        """One row per arm, in the order of the YAML: arm (name), recommender, options (mapping), sees_hidden_preference
        (boolean; whether it is a bound, such as the oracle)."""
        import pandas as pd

        arms = self.logged_arms()
        return pd.DataFrame(
            {
                "arm": _texts([arm.name for arm in arms]),
                "recommender": _texts([arm.recommender for arm in arms]),
                "options": _texts([dict(arm.options) for arm in arms]),
                "sees_hidden_preference": _array(Boolean(), False)([arm.sees_hidden_preference for arm in arms]),
            }
        )

    def interventions(self) -> pd.DataFrame:
        """One row per change of an arm on the way, in the order of writing: arm (name), day (from its beginning on, 0 =
        first), kind, detail (mapping), origin (`file`, `live`), place (in the file's list, or the line that asked)."""
        import pandas as pd

        found = self.logged_interventions()
        return pd.DataFrame(
            {
                "arm": _texts([each.arm for each in found]),
                "day": np.array([each.day for each in found], dtype=np.int64),
                "kind": _texts([each.kind for each in found]),
                "detail": _texts([dict(each.detail) for each in found]),
                "origin": _texts([each.origin for each in found]),
                "place": np.array([each.place for each in found], dtype=np.int64),
            }
        )

    def agents(self) -> pd.DataFrame:
        """One row per agent, in the order of the log: user_id (the data set's own), persona (mapping; of a large run
        what was measured, without lists and description)."""
        import pandas as pd

        agents = list(self.logged_agents())
        return pd.DataFrame(
            {
                "user_id": _texts([agent.user_id for agent in agents]),
                "persona": _texts([dict(agent.persona) for agent in agents]),
            }
        )

    def items(self) -> pd.DataFrame:
        """One row per item, in the order of the catalog: item_id (the data set's own), title, year (NA = unknown),
        genres (tuple of texts)."""
        import pandas as pd

        items = self.logged_items()
        return pd.DataFrame(
            {
                "item_id": _texts([item.source_id for item in items]),
                "title": _texts([item.title for item in items]),
                "year": _array(Integer(), True)([item.year for item in items]),
                "genres": _texts([item.genres for item in items]),
            }
        )

    def _frame(
        self,
        table: Table,
        key: Sequence[str],
        fields: Mapping[str, _Field],
        arm: str | None,
        columns: Sequence[str] | None,
        conditions: Sequence[str] = (),
    ) -> pd.DataFrame:
        import pandas as pd

        names = list(fields) if columns is None else _listed(columns)
        for name in names:
            _known(name, fields, "columns")
        wanted = {name: fields[name] for name in names}
        # The unary plus keeps SQLite from an index of sessions; see `in_order`.
        conditions = [*conditions, *(() if arm is None else (_of_arm(self._arm_id(arm)),))]
        here = {column: self.columns_of(column) for column in {table.name, "sessions"}}
        present = {name: each for name, each in wanted.items() if _stands_in(each, here)}
        sql = in_order(table.name, key, [each.sql for each in present.values()] or ["1"], "", conditions)
        labels = {named_by: self._names(named_by) for each in wanted.values() if (named_by := each.named_by)}
        try:
            parts = [_typed(chunk, present, labels) for chunk in self._chunks(sql)] or [_typed([], present, labels)]
        except _Nameless as fault:
            raise RunDirectoryError(
                f"{self}: the log is damaged: {fault}; it was left as it is, restore it from a copy"
            ) from None
        frame = pd.concat(parts, ignore_index=True)
        for name in set(names) - set(present):  # a column that logs of then did not have
            frame[name] = pd.NA
        return frame[names]

    def _arm_id(self, arm: str) -> int:
        ids = {each.name: each.arm_id for each in self.logged_arms()}
        _known(arm, ids, "arm")
        return ids[arm]

    def _names(self, table: str) -> dict[int, str]:
        """The log's numbers -> names or the data set's own ids."""
        columns = {"arms": "arm_id, name", "agents": "agent_id, source_user_id", "items": "item_id, source_item_id"}
        found = self._chunks(f"SELECT {columns[table]} FROM {table}")
        where = f"{table}.{columns[table].split()[-1]}"
        return {number: told(self, where, name) for chunk in found for number, name in chunk}


def _of_arm(arm_id: int) -> str:
    """SQL that is true of the rows of an arm, and of those of no arm, which are refused."""
    return f"(+sessions.arm_id = {arm_id} OR sessions.arm_id IS NULL)"


def _stands_in(each: _Field, here: Mapping[str, frozenset[str]]) -> bool:
    columns = here.get(str(each.column.table.name), frozenset())
    return each.sql.startswith("(") or each.column.name in columns


def _listed(columns: object) -> list[Any]:
    """The columns that somebody names; raises `ConfigError` where they are no list, or none."""
    names = list(columns) if isinstance(columns, Iterable) and not isinstance(columns, str) else []
    if not names:
        raise ConfigError(f"columns: found {shown(columns)}, expected a list of at least one name")
    return names


class _Nameless(LookupError):
    """A row belongs to one of another table that is not there, or says not to which; or a cell is of another kind."""


def _known(name: object, names: Iterable[str], what: str) -> None:
    known = list(names)
    if name not in known:
        near = get_close_matches(str(name), known, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ConfigError(f"{what}: found {shown(name)}, this log has {', '.join(known)}{hint}")


def _typed(rows: list[Row], fields: Mapping[str, _Field], labels: Mapping[str, Mapping[int, str]]) -> pd.DataFrame:
    import pandas as pd

    cells: list[Sequence[Any]] = list(zip(*rows, strict=True)) if rows else [() for _ in fields]
    columns = {}
    for (name, field), column in zip(fields.items(), cells, strict=True):
        if odd := odd_cell(field.column, column):
            raise _Nameless(odd)
        if field.named_by is not None:
            label = labels[field.named_by]
            columns[name] = _texts([None if number is None else _label(label, number, field) for number in column])
        else:
            columns[name] = _array(field.column.type, bool(field.column.nullable))(column)
    return pd.DataFrame(columns)


def _label(labels: Mapping[int, str], number: int, field: _Field) -> str:
    try:
        return labels[number]
    except KeyError:
        raise _Nameless(
            f"a row of {field.column.table.name} belongs to row {number} of {field.named_by}, which is not there"
        ) from None


def _array(kind: object, nullable: bool) -> Callable[[Sequence[Any]], Any]:
    """How a column of the log becomes one of a frame; what is unknown is NA, never 0 and never False."""
    if isinstance(kind, Boolean):
        return _booleans
    if isinstance(kind, Float):
        return lambda column: np.array(column, dtype=np.float64)
    if isinstance(kind, Integer):
        return _whole_numbers if nullable else lambda column: np.array(column, dtype=np.int64)
    return _texts


def _booleans(column: Sequence[Any]) -> ExtensionArray:
    import pandas as pd

    values = np.array(column, dtype=np.float64)
    unknown = np.isnan(values)
    return pd.arrays.BooleanArray(np.where(unknown, 0.0, values) == 1.0, unknown)


def _whole_numbers(column: Sequence[Any]) -> ExtensionArray:
    import pandas as pd

    return pd.array(list(column), dtype="Int64")


def _texts(column: Sequence[Any]) -> Any:
    import pandas as pd

    cells = np.empty(len(column), dtype=np.object_)
    cells[:] = column
    return pd.Series(cells, dtype=object)
