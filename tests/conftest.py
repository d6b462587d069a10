"""What tests of several folders share."""

from __future__ import annotations

import pytest

from small_project import Warm, warm_up


@pytest.fixture(scope="session")
def warm(tmp_path_factory: pytest.TempPathFactory) -> Warm:
    return warm_up(tmp_path_factory.mktemp("warm") / "shop")
