"""What the calls in a log have taken of a budget."""

from __future__ import annotations

from sqlalchemy import inspect, text

from groundlings.simulator.language.budget import Spent
from groundlings.simulator.log.store import Store, named_faults

_SPENT = """
SELECT count(*), coalesce(sum(prompt_tokens), 0), coalesce(sum(cached_tokens), 0), coalesce(sum(completion_tokens), 0)
FROM calls WHERE NOT from_store
"""


def spent_in(store: Store) -> Spent:
    """What the calls in a log have taken; those read from a record took nothing, nor does a log without calls.

    The log may be one that was killed a moment ago: it is opened as a writer does, who mends what was left open.
    """
    engine = store.for_writing()
    try:
        with named_faults(store), engine.connect() as connection:
            if not inspect(connection).has_table("calls"):
                return Spent()
            return Spent(*connection.execute(text(_SPENT)).one())
    finally:
        engine.dispose()
