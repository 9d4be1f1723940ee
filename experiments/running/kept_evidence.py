"""Evidence of tastes that was measured before on the same rows, kept so that another run on them need not measure it.

What evidence depends on is in the file's name: the rows, the items and people, the code that measures, and the versions
of packages that it computes with. Large evidence is not kept, and of what is kept the few files that were used last.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from groundlings.environments.catalog import Catalog
from groundlings.environments.dataset import Dataset
from groundlings.environments.errors import RunDirectoryError
from groundlings.environments.interactions import Interactions
from groundlings.environments.paths import CACHE_VARIABLE, user_cache
from groundlings.environments.people import People
from groundlings.experiments.archive.directory import write_bytes
from groundlings.experiments.running.source_code import source_of, versions_of
from groundlings.personas.taste.features import Evidence
from groundlings.personas.taste.item_tables import ItemTables
from groundlings.personas.taste.star_features import StarEvidence
from groundlings.personas.taste.training_data import measure_rows

MOST_BYTES = 128 * 2**20
"""Of evidence that is kept: 16 MB of MovieLens-100K, 57 of 10,000 users and 5,000 items."""

_MOST_FILES = 4

Measured = tuple[Evidence, StarEvidence | None]

_PARTS = ("data", "indices", "indptr", "shape")


def cache_directory() -> Path:
    """Where evidence is kept: `$GROUNDLINGS_CACHE/evidence`, else the user's cache directory."""
    return user_cache(CACHE_VARIABLE) / "evidence"


def measured(dataset: Dataset, rows: Interactions) -> Measured:
    """As `measure_rows`: what is kept of it, or what is measured now, and kept."""
    place = _place_of(dataset, rows)
    found = _kept(place, dataset)
    if found is None:
        found = measure_rows(dataset, rows)
        _keep(place, found)
    return found


def keep(dataset: Dataset, rows: Interactions, found: Measured) -> None:
    """Keep what was measured of some rows for another run.

    Where it is large, or the cache cannot be written, it is measured again next time.
    """
    _keep(_place_of(dataset, rows), found)


def _place_of(dataset: Dataset, rows: Interactions) -> Path:
    sources = [source_of(each) for each in (measure_rows, Interactions, Catalog, People)]
    content = {
        "data": dataset.fingerprint,
        "scale": repr(dataset.scale),
        "rows": rows.fingerprint,
        "code": [source.sha256 for source in sources],
        "packages": [dict(source.packages) for source in sources] + [versions_of({"numpy", "scipy", "threadpoolctl"})],
    }
    return cache_directory() / f"{hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:32]}.npz"


def _kept(place: Path, dataset: Dataset) -> Measured | None:
    """What a file holds; None where there is none, and where it cannot be read or is damaged."""
    try:
        with np.load(place) as file:
            found = dict(file)
        place.touch()  # those stay that were used last
        evidence = Evidence(tables=ItemTables(**_fields(ItemTables, found, "tables.")), **_fields(Evidence, found))
        stars = _fields(StarEvidence, found, "stars.")
        return evidence, StarEvidence(scale=dataset.scale, **stars) if stars else None
    except Exception:  # NumPy and zipfile raise a dozen kinds for damaged files; what cannot be read is measured anew
        return None


def _keep(place: Path, found: Measured) -> None:
    evidence, stars = found
    arrays = dict(_arrays(evidence)) | ({} if stars is None else dict(_arrays(stars, "stars.")))
    if sum(array.nbytes for array in arrays.values()) > MOST_BYTES:
        return
    content = io.BytesIO()
    np.savez(content, allow_pickle=False, **arrays)
    with suppress(OSError, RunDirectoryError):
        place.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(place, content.getvalue())
        for old in sorted(place.parent.glob("*.npz"), key=lambda file: -file.stat().st_mtime)[_MOST_FILES:]:
            old.unlink()


def _arrays(thing: Any, within: str = "") -> Iterator[tuple[str, np.ndarray]]:
    """Everything that was measured, by the names of fields; of sparse matrices their parts."""
    for field in fields(thing):
        value, name = getattr(thing, field.name), within + field.name
        if isinstance(value, sp.csr_array):
            yield from ((f"{name}.{part}", np.asarray(getattr(value, part))) for part in _PARTS)
        elif isinstance(value, np.ndarray):
            yield name, value
        elif isinstance(value, ItemTables):
            yield from _arrays(value, f"{name}.")


def _fields(kind: type, found: Mapping[str, np.ndarray], within: str = "") -> dict[str, Any]:
    """The fields of a class among what was kept."""
    values: dict[str, Any] = {}
    for field in fields(kind):
        name = within + field.name
        if name in found:
            values[field.name] = found[name]
        elif f"{name}.indptr" in found:
            data, places, starts, shape = (found[f"{name}.{part}"] for part in _PARTS)
            values[field.name] = sp.csr_array((data, places, starts), shape=tuple(shape.tolist()))
    return values
