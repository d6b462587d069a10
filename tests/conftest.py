"""What tests of several folders share."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from shop import Shop, make_warm_shop
from small_project import Warm, warm_up

pytest_plugins = ["seen_fixtures"]


@pytest.fixture(scope="session")
def warm(tmp_path_factory: pytest.TempPathFactory) -> Warm:
    return warm_up(tmp_path_factory.mktemp("warm") / "shop")


@pytest.fixture(scope="session")
def built_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project of the olist template that was built, and needs dbt no more."""
    root = tmp_path_factory.mktemp("built") / "shop"
    make_warm_shop(root)
    return root


@pytest.fixture
def built_shop(tmp_path: Path, built_once: Path) -> Shop:
    """A copy of it, of a test's own."""
    root = tmp_path / "shop"
    shutil.copytree(built_once, root, symlinks=True)
    return Shop(root)


@pytest.fixture(scope="session")
def warm_storefront(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project of the storefront template that was built, and needs dbt no more."""
    root = tmp_path_factory.mktemp("storefront") / "shop"
    make_warm_shop(root, "storefront")
    return root


@pytest.fixture(scope="session")
def warm_crm_erp(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project of the crm-erp template that was built, and needs dbt no more."""
    root = tmp_path_factory.mktemp("crm_erp") / "shop"
    make_warm_shop(root, "crm-erp")
    return root


@pytest.fixture(scope="session")
def warm_realtime(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project of the realtime template that was built, and needs dbt no more."""
    root = tmp_path_factory.mktemp("realtime") / "feed"
    make_warm_shop(root, "realtime")
    return root


@pytest.fixture(scope="session")
def warm_retail(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project of the retail template that was built, and needs dbt no more."""
    root = tmp_path_factory.mktemp("retail") / "shop"
    make_warm_shop(root, "retail")
    return root
