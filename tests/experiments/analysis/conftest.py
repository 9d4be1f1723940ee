"""A finished run in a shop, made once for all tests of what is bought and shown."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent))


@pytest.fixture(scope="session")
def shop_directory(
    tmp_path_factory: pytest.TempPathFactory, leave_pictures_blank: Callable[[pytest.MonkeyPatch], None]
) -> Path:
    """Its directory, with blank pictures in the report; read it, never write it."""
    from money_shop import OBJECTIVES, shop_run

    with pytest.MonkeyPatch.context() as patched:
        leave_pictures_blank(patched)
        return shop_run(tmp_path_factory.mktemp("shop") / "run", **OBJECTIVES)
