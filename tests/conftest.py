"""What tests of several folders share."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from once import made_once
from shop import Shop, make_warm_shop
from small_project import Warm, warm_up

pytest_plugins = ["seen_fixtures"]

# How long an example takes says how busy the machine is, and nothing of a promise.
settings.register_profile(
    "untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("untimed")


@pytest.fixture(scope="session")
def warm(tmp_path_factory: pytest.TempPathFactory) -> Warm:
    """The small project, which was built and runs by replay."""
    return Warm.of(made_once(tmp_path_factory, "small", warm_up))


def _warm_shop(factory: pytest.TempPathFactory, template: str) -> Path:
    """A project of a template that was built, and needs dbt no more."""
    make = partial(make_warm_shop, template=template)
    return made_once(factory, template, make)


@pytest.fixture(scope="session")
def built_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _warm_shop(tmp_path_factory, "olist")


@pytest.fixture
def built_shop(tmp_path: Path, built_once: Path) -> Shop:
    """A copy of it, of a test's own."""
    root = tmp_path / "shop"
    shutil.copytree(built_once, root, symlinks=True)
    return Shop(root)


@pytest.fixture(scope="session")
def warm_storefront(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _warm_shop(tmp_path_factory, "storefront")


@pytest.fixture(scope="session")
def warm_crm_erp(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _warm_shop(tmp_path_factory, "crm-erp")


@pytest.fixture(scope="session")
def warm_realtime(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _warm_shop(tmp_path_factory, "realtime")


@pytest.fixture(scope="session")
def warm_retail(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _warm_shop(tmp_path_factory, "retail")
