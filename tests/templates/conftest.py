"""What tests of several templates share."""

from __future__ import annotations

from pathlib import Path

import pytest

from shop import make_warm_shop


@pytest.fixture(scope="session")
def warm_storefront(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A storefront that was built with nothing in it, and whose runs need no dbt."""
    root = tmp_path_factory.mktemp("storefront") / "shop"
    make_warm_shop(root, "storefront")
    return root
