"""Sessions that end, as Snowflake's own connector tells it over loopback."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from doubles import LACKING, PYTHON, ROOT

pytestmark = [pytest.mark.cloud, pytest.mark.timeout(120)]
ENDED = {"390104", "390111", "390112", "390113", "390114"}


def test_the_connector_tells_that_a_session_is_over_and_another_answers() -> None:
    """390112 is answered by renewing, which is refused after four idle hours."""
    if not PYTHON.exists():
        pytest.skip(LACKING)
    script = Path(__file__).parent / "ended_sessions.py"
    done = subprocess.run(
        [PYTHON, script, ROOT / "src"], capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 0, done.stderr
    met = json.loads(done.stdout)
    assert set(met["asked"]) == set(met["not_sent_again"]) == ENDED
    for number, (rows, sessions, sent) in met["asked"].items():
        assert (rows, sessions, sent) == ([{"n": "1"}], 1, 2), number
    for number, (sent, problem) in met["not_sent_again"].items():
        told = "390114" if number == "390112" else number
        assert sent == 1, number
        assert problem.startswith(f"the session is over: {told}: "), problem
    assert met["renewed"] == 2
    assert met["closed"] == [{"n": "1"}]
    assert met["cancelled"] == [604, 1, 1], "it is cancelled there, and sent once"
