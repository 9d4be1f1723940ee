"""Lets an editable install import the folders at the top of this repository as `groundlings.*`.

A wheel gets its copies of the five folders under `groundlings/` from pyproject.toml. An editable install has no
copies: Python finds `src/groundlings`, and there each folder is a link to the one at the top. So new files are there
at once, nothing but `groundlings` can be imported from elsewhere, and type checker, import-linter and editor see an
ordinary tree. The links are made here, on `pip install --editable`, and git ignores them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PACKAGES = ("simulator", "personas", "environments", "recommenders", "experiments")


class LinkRooms(BuildHookInterface[Any]):
    """Makes `src/groundlings/<package>` a relative link to `<package>`, before an editable wheel is built."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002 - hatchling's signature
        """See `BuildHookInterface.initialize`; `version` is "editable" or "standard"."""
        if version == "editable":
            link_rooms(Path(self.root))


def link_rooms(root: Path) -> None:
    """Make the five links of a source tree, in place of any that lead elsewhere."""
    for package in PACKAGES:
        link, target = root / "src" / "groundlings" / package, Path("..", "..", package)
        if link.is_symlink():
            if link.readlink() == target:
                continue
            link.unlink()
        link.symlink_to(target, target_is_directory=True)
