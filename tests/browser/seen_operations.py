"""What the seen project has to tend: tasks, alerts, a pipe that holds, a strict rule.

Texts that people can choose are what an attacker would choose.
"""

from __future__ import annotations

from typing import Any

EVIL = "<img src=x onerror=alert(1)>"
EVIL_COLUMN = "bonus<img src=x onerror=alert(1)>"
TASKS: dict[str, Any] = {
    "nightly": {"cron": "0 2 1 1 *", "shell": "true"},
    "fetch": {"after": "nightly", "shell": f"echo 'snowmelt-return: {EVIL}'"},
    "measure": {"after": "nightly", "when": "stream_has_data(visits)", "shell": "true"},
    "report": {
        "after": "fetch",
        "shell": f"test -e mended || {{ echo '{EVIL}'; exit 3; }}",
    },
    "tell": {"finalize": "nightly", "shell": "true"},
}
ALERTS: dict[str, Any] = {
    "sinks": {
        "ops": {"shell": "cat >> told.jsonl"},
        "broken": {"shell": "echo 'nobody is there' >&2; exit 4"},
    },
    "rules": {
        "rejected": {"on": "rejected", "to": ["ops"], "every": "1s"},
        "held": {"on": "held", "to": [], "every": "1s"},
        "figures": {
            "sql": f"select '{EVIL}' as cause, 'only 3 of {EVIL}' as message, 3 as n",
            "severity": "critical",
            "to": ["broken"],
            "every": "1s",
        },
    },
}
PIPE = {
    "name": "vendors",
    "pattern": "vendors*.csv",
    "schema_evolution": "hold",
    "contract": {
        "columns": [
            {"name": "vendor_id", "type": "integer"},
            {"name": "vendor_name", "type": "varchar"},
        ]
    },
}
STRICT = {
    "name": "vendors",
    "config": {"meta": {"rules": [{"rule": "not_null", "column": "vendor_name"}]}},
}
VENDORS = """
{{ config(materialized='latest_version', unique_key='vendor_id') }}

select vendor_id, vendor_name, _file, _file_row, _load_seq, _version_at
from {{ snowmelt.stream('bronze', 'vendors') }}
"""
FILES = {
    "vendors_1.csv": f"vendor_id,vendor_name\n1,{EVIL}\n2,\n3,Bo\n",
    "vendors_2.csv": f"vendor_id,vendor_name,{EVIL_COLUMN}\n4,Cy,{EVIL}\n",
}
"""The second one waits: it has a column that no table can have."""
