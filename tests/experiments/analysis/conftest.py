"""A finished run in a shop, made once for all tests of what is bought and shown."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent))


@pytest.fixture(scope="session")
def shop_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its directory; read it, never write it."""
    from money_shop import OBJECTIVES, shop_run

    return shop_run(tmp_path_factory.mktemp("shop") / "run", **OBJECTIVES)
