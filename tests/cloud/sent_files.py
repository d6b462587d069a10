"""Carries out statements by Snowflake's connector, and tells what a stage has then.

Run in the environment of these tests; the statements come as JSON, the stage's name is
the argument, and what is on it is told as JSON on the last line.
"""

from __future__ import annotations

import json
import sys

import fakesnow
import snowflake.connector


def main(stage: str) -> None:
    with (
        fakesnow.server() as where,
        snowflake.connector.connect(**where) as connection,
        connection.cursor() as cursor,
    ):
        for statement in json.load(sys.stdin):
            cursor.execute(statement)
        cursor.execute(f"LIST @{stage}")
        names = [str(row[0]).partition("/")[2] for row in cursor.fetchall()]
        sys.stdout.write(f"\n{json.dumps(names)}\n")


if __name__ == "__main__":
    main(sys.argv[1])
