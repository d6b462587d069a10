"""A service is asked often, from an event loop on which much else waits."""

from __future__ import annotations

import asyncio
import os
import shutil
import ssl
from pathlib import Path
from typing import Any

import certifi
import pytest

from ports import free_port
from snowmelt.remote import AwayError, Remote, ServiceError, find_errand


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What certificates were read for, each time that they were."""
    found: list[Any] = []
    original = ssl.create_default_context

    def reading(*args: Any, **named: Any) -> ssl.SSLContext:
        found.append(named)
        return original(*args, **named)

    monkeypatch.setattr(ssl, "create_default_context", reading)
    return found


def ask(remote: Remote, times: int) -> None:
    async def asking() -> None:
        for number in range(times):
            with pytest.raises(AwayError):
                await remote.ask_async(find_errand(number))

    asyncio.run(asking())
    with pytest.raises(AwayError):
        remote.ask(find_errand(0))


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_certificates_are_read_once_and_not_at_each_question(
    made: list[Any], scheme: str
) -> None:
    address = f"{scheme}://127.0.0.1:{free_port()}"
    ask(Remote(address, "smt_a_token", patience=0), 5)
    assert len(made) <= 1  # or never: it was done before


def test_certificates_that_are_renewed_are_read_again(
    made: list[Any], tmp_path: Path
) -> None:
    trusted = tmp_path / "trusted.pem"
    shutil.copy(certifi.where(), trusted)
    address = f"https://127.0.0.1:{free_port()}"
    remote = Remote(address, "smt_a_token", str(trusted), patience=0)
    ask(remote, 3)
    assert made == [{"cafile": str(trusted)}]
    os.utime(trusted, (0, 0))
    ask(remote, 3)
    assert made == [{"cafile": str(trusted)}] * 2


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_a_path_without_certificates_is_named(
    tmp_path: Path, content: str | None
) -> None:
    path = tmp_path / "trusted.pem"
    if content is not None:
        path.write_text(content)
    remote = Remote("https://127.0.0.1", "smt_a_token", str(path), patience=0)
    with pytest.raises(ServiceError, match=r"verify: .*trusted\.pem cannot be read as"):
        remote.ask(find_errand(1))
