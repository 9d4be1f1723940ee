"""Whether the parts of a log are those that its seals speak of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection

from groundlings.simulator.log.columnar import columnar
from groundlings.simulator.log.parts import Part, fault_of
from groundlings.simulator.log.tables import LARGE


def part_faults(
    connection: Connection, blocks: Sequence[Mapping[str, Any]], chosen: Sequence[Mapping[str, Any]]
) -> Iterator[str]:
    """What is not as it was written, in plain words; nothing for a log whose rows all lie in a database.

    That each part is there, as long as it was and listed as it was written, is always looked at.

    Args:
        connection: To the log.
        blocks: What each seal of rows covers.
        chosen: Those of them whose parts are read whole.
    """
    behind = columnar(connection)
    if behind is None:
        if any(covers.get("parts") for covers in blocks):
            yield "the list of parts was taken away: the log has no table of them, and its rows lie in parts"
        return
    known = {part.path: part for part in behind.listed()}
    sealed = {path: (covers, digest) for covers in blocks for path, digest in covers.get("parts", {}).items()}
    for path in sorted(known.keys() - sealed.keys()):
        yield f"part {path} was added to the list of parts"
    read = {path for covers in chosen for path in covers.get("parts", {})}
    for path, (covers, digest) in sealed.items():
        part = known.get(path)
        if part is None:
            yield f"part {path} was taken from the list of parts"
        elif part.sha256 != digest or not _listed_as_written(part, covers):
            yield f"the list of parts was changed: part {path} is not listed as it was written"
        elif (fault := fault_of(behind.directory, part, whole=path in read)) is not None:
            yield fault


def _listed_as_written(part: Part, covers: Mapping[str, Any]) -> bool:
    first, count = covers[part.name]
    begins, sessions = covers["sessions"]
    placed = [part.arm_id, part.day] in covers["visits"] and part.name in LARGE
    ids = (part.first_id, part.rows) == (first, count)
    return placed and ids and (part.first_session, part.last_session) == (begins, begins + sessions - 1)
