"""dbt, whose connector goes to a double on loopback: `python connected_dbt.py PORT …`.

The profile of a run is for an account: TLS on 443, and a key pair, which the double
takes no notice of. What a run calls dbt by is called as it is. (dbt imports what is
named dbt_… as a plugin; this is none.)
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any
from unittest import mock

import snowflake.connector

sys.path.insert(0, str(Path(__file__).parents[2] / "src"))
from snowmelt.deploy.running.invocation import OWN_DBT

_connect = snowflake.connector.connect


def main(port: int) -> None:
    ours = {
        "host": "127.0.0.1",
        "port": port,
        "protocol": "http",
        "password": "x",
        "authenticator": "snowflake",
    }

    def connect(**given: Any) -> Any:
        assert given.pop("private_key", None), "signed in by key pair"
        assert given["session_parameters"]["TIMEZONE"] == "UTC"
        assert given["session_parameters"]["QUERY_TAG"], "what dbt gives is kept"
        return _connect(**{**given, **ours})

    with mock.patch.object(snowflake.connector, "connect", connect):
        exec(OWN_DBT[-1])


if __name__ == "__main__":  # dbt's other processes import this, too
    main(int(sys.argv.pop(1)))
