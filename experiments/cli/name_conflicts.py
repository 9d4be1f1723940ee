"""Makes sure that our five packages are ours: other distributions use the same plain names.

The package index has distributions called `recommenders`, `simulator`, `environments` and `experiments`. Beside an
editable Groundlings theirs are imported, beside a wheel the two overwrite each other's files, and either way a
simulation would run on the wrong code. So every command looks first.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import Distribution, distributions
from importlib.util import find_spec
from pathlib import Path

from groundlings.environments.errors import NameConflict

DISTRIBUTION = "groundlings"
PACKAGES = ("simulator", "personas", "environments", "recommenders", "experiments")

# A line of RECORD begins with a path: a package's folder, or a module in one file.
_RECORDED = re.compile(rf'^"?({"|".join(PACKAGES)})(?:/|\.py[,"])', re.MULTILINE)


@dataclass(frozen=True)
class Claim:
    """Another distribution that installs a package of one of our names.

    Attributes:
        distribution: Its name, as pip knows it.
        version: Its version.
        packages: Which of our names it takes, in alphabetical order.
        location: The directory it is installed in.
    """

    distribution: str
    version: str
    packages: tuple[str, ...]
    location: Path


def check_names() -> None:
    """Return if our five names lead to our code.

    Raises:
        NameConflict: Another distribution provides one of them, or one of them is imported from somewhere else.
    """
    complaints = [describe_claim(claim) for claim in find_claims()]
    complaints = complaints or [describe_shadow(name, origin) for name, origin in find_shadows().items()]
    if complaints:
        raise NameConflict("; ".join(complaints))


def find_claims(path: Sequence[str] | None = None) -> list[Claim]:
    """Other distributions that install one of our names, ordered by name.

    The files that `importlib.metadata.packages_distributions` reads are read here without parsing them, which makes the
    difference between a noticeable delay and none. An editable install lists no packages, ours included, so
    `find_shadows` completes the picture.

    Args:
        path: Directories to look in; the import path if absent.
    """
    found = distributions() if path is None else distributions(path=list(path))
    claims = {}
    for distribution in found:
        packages = _our_names_in(distribution)
        if packages and distribution.name.lower() != DISTRIBUTION:
            location = Path(str(distribution.locate_file(""))).resolve()
            claim = Claim(distribution.name, distribution.version, packages, location)
            claims[claim.distribution, claim.location] = claim
    return sorted(claims.values(), key=lambda claim: (claim.distribution, str(claim.location)))


def _our_names_in(distribution: Distribution) -> tuple[str, ...]:
    recorded = _RECORDED.findall(distribution.read_text("RECORD") or "")
    declared = (distribution.read_text("top_level.txt") or "").split()
    return tuple(sorted({*recorded, *declared} & set(PACKAGES)))


def find_shadows() -> dict[str, str]:
    """Which of our names Python would import from outside our own folder, and from where."""
    ours = Path(__file__).resolve().parents[1]
    shadows = {}
    for name in PACKAGES:
        spec = find_spec(name)
        origin = spec.origin if spec is not None else None
        if origin is None or Path(origin).resolve() != ours / name / "__init__.py":
            shadows[name] = origin or "nowhere"
    return shadows


def describe_claim(claim: Claim, environment: Mapping[str, str] = os.environ) -> str:
    """One sentence that names the culprit, what it takes and the way out."""
    plural = "s" if len(claim.packages) > 1 else ""
    on_python_path = claim.location in {
        Path(entry).resolve() for entry in environment.get("PYTHONPATH", "").split(os.pathsep) if entry
    }
    fix = (
        f"take {claim.location} out of PYTHONPATH"
        if on_python_path
        else f"run `{sys.executable} -m pip uninstall {claim.distribution}`, or install Groundlings into a fresh "
        "virtual environment (`make install` in its own directory makes one)"
    )
    return (
        f"the distribution {claim.distribution} {claim.version} in {claim.location} also provides the package{plural} "
        f"{', '.join(claim.packages)}, and Groundlings has its own of that name: one would run in place of the other. "
        f"To mend it, {fix}; then install Groundlings again"
    )


def describe_shadow(name: str, origin: str) -> str:
    """One sentence that says where a name leads to, where it should lead, and what to do."""
    ours = Path(__file__).resolve().parents[1]
    return (
        f"the package {name} is imported from {origin}, and Groundlings' own is in {ours / name}. "
        "Take the other directory out of PYTHONPATH, do not start Python in it, or use a fresh virtual environment"
    )
