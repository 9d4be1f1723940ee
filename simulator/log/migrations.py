"""Named, append-only steps from the first schema to today's.

An empty database gets today's tables at once. A log of an older version is brought up to date, step by step,
when it is opened for writing; readers take any version up to their own. Never edit a step that was released:
add one, and keep a database of the old version among the tests.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Column, Connection, Integer, MetaData, String, Table, func, inspect, select, text

from groundlings.environments.errors import RunDirectoryError
from groundlings.simulator.log import tables

LEDGER = "schema_migrations"
"""The table that says which steps a log has taken."""

_ledger = Table(
    LEDGER,
    MetaData(),
    Column("number", Integer, primary_key=True),
    Column("name", String, nullable=False),
)


def _teams(connection: Connection) -> None:
    """Arms may draft a list together; no earlier log has such lists."""
    connection.execute(text("ALTER TABLE impressions ADD COLUMN team_arm_id INTEGER REFERENCES arms (arm_id)"))


def _askers(connection: Connection) -> None:
    """Recommenders may ask language models, too; in every earlier log agents did."""
    connection.execute(text("ALTER TABLE calls ADD COLUMN asked_by VARCHAR DEFAULT 'agent' NOT NULL"))


def _evidence(connection: Connection) -> None:
    """A log says how each reply came about and what its run depends on; earlier logs do not know."""
    for column in (
        "calls ADD COLUMN finish_reason VARCHAR",
        "calls ADD COLUMN form VARCHAR",
        "calls ADD COLUMN tokens_estimated BOOLEAN DEFAULT false NOT NULL",
        "calls ADD COLUMN thought_characters INTEGER DEFAULT 0 NOT NULL",
        "calls ADD COLUMN team_arm_id INTEGER REFERENCES arms (arm_id)",
        "runs ADD COLUMN identity TEXT",
    ):
        connection.execute(text(f"ALTER TABLE {column}"))
    tables.accepted_changes.create(connection)
    tables.seals.create(connection)
    # Its rows were written without seals: a log that says so differs from one whose seals were taken away.
    connection.execute(tables.seals.insert().values(seal_id=1, kind="unsealed", covers="{}", content="", seal=""))


def _places(connection: Connection) -> None:
    """A page may be a grid or carousels; those of every earlier log are lists, whose positions say where a slot is."""
    for column in ("row_name VARCHAR", "place_row INTEGER", "place_slot INTEGER"):
        connection.execute(text(f"ALTER TABLE impressions ADD COLUMN {column}"))


def _interventions(connection: Connection) -> None:
    """Arms may change on the way; those of every earlier log are as they began."""
    tables.interventions.create(connection)


def _measured_agents(_connection: Connection) -> None:
    """A large run may keep what was measured of its agents in columns; every earlier log holds their personas."""


STEPS: tuple[tuple[str, Callable[[Connection], None]], ...] = (
    ("teams", _teams),
    ("askers", _askers),
    ("evidence", _evidence),
    ("places", _places),
    ("interventions", _interventions),
    ("measured_agents", _measured_agents),
)
"""What changed after the first schema, oldest first: (name, step)."""

_NAMES = ("first_schema", *(name for name, _ in STEPS))
SCHEMA_VERSION = len(_NAMES)

_SINCE = {"accepted_changes": 4, "seals": 4, "interventions": 6}
"""Tables that came after the first schema, and with which."""


def missing_tables(connection: Connection) -> list[str]:
    """The tables that a log of its version has and this one lacks; in the order of `tables.py`."""
    here, version = inspect(connection), schema_version(connection)
    expected = [table.name for table in tables.metadata.sorted_tables if version >= _SINCE.get(table.name, 0)]
    return [name for name in expected if not here.has_table(name)]


def schema_version(connection: Connection) -> int:
    """The version of a database's schema, 0 for one without our tables."""
    if not inspect(connection).has_table(_ledger.name):
        return 0
    return connection.execute(select(func.max(_ledger.c.number))).scalar_one() or 0


def migrate(connection: Connection, where: object) -> bool:
    """Bring a database to `SCHEMA_VERSION`; whether it had no tables at all, so that there is nothing in them to doubt.

    Args:
        connection: To the database.
        where: The log, as a message calls it.

    Raises:
        RunDirectoryError: A newer Groundlings wrote it, or a run stands in it and nothing says of which version.
    """
    version = schema_version(connection)
    if version > SCHEMA_VERSION:
        raise RunDirectoryError(
            f"{where}: the log has schema version {version}, this Groundlings knows up to {SCHEMA_VERSION}: "
            "open it with the version that wrote it, or upgrade"
        )
    if version == 0 and _holds_a_run(connection):
        raise RunDirectoryError(
            f"{where}: the log holds a run, and no table {LEDGER} says with which version it was written; it was left "
            "as it is, restore it from a copy"
        )
    empty = version == 0 and not inspect(connection).get_table_names()
    if version == 0:
        tables.metadata.create_all(connection, checkfirst=not empty)
        _ledger.create(connection)
    for number in range(version + 1, SCHEMA_VERSION + 1):
        if version > 0:
            STEPS[number - 2][1](connection)
        connection.execute(_ledger.insert().values(number=number, name=_NAMES[number - 1]))
    return empty


def _holds_a_run(connection: Connection) -> bool:
    """Whether a run has begun in a database; one that was killed while it made its tables has begun none."""
    runs = tables.runs
    return inspect(connection).has_table(runs.name) and connection.execute(select(runs.c.run_id)).first() is not None
