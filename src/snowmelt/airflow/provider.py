"""What Airflow is told of this package, by its entry point `apache_airflow_provider`.

See https://airflow.apache.org/docs/apache-airflow-providers/howto/create-custom-providers.html
"""

from __future__ import annotations

from typing import Any

CONNECTION_TYPE = "snowmelt"


def get_provider_info() -> dict[str, Any]:
    """Return the provider's description, as Airflow's schema of providers has it."""
    return {
        "package-name": "snowmelt",
        "name": "Snowmelt",
        "description": "Files land, gold appears: runs, files and events of a service.",
        "connection-types": [
            {
                "connection-type": CONNECTION_TYPE,
                "hook-class-name": "snowmelt.airflow.hooks.SnowmeltHook",
                "hook-name": "Snowmelt",
                "ui-field-behaviour": {
                    "hidden-fields": ["login"],
                    "relabeling": {
                        "password": "Token",
                        "schema": "http or https",
                    },
                    "placeholders": {
                        "host": "127.0.0.1",
                        "port": "8321",
                        "schema": "http",
                        "password": "what `snowmelt tokens add` printed",
                    },
                },
            }
        ],
        "extra-links": ["snowmelt.airflow.operators.SnowmeltRunLink"],
        "operators": [
            {
                "integration-name": "Snowmelt",
                "python-modules": ["snowmelt.airflow.operators"],
            }
        ],
        "sensors": [
            {
                "integration-name": "Snowmelt",
                "python-modules": ["snowmelt.airflow.sensors"],
            }
        ],
        "hooks": [
            {
                "integration-name": "Snowmelt",
                "python-modules": ["snowmelt.airflow.hooks"],
            }
        ],
        "triggers": [
            {
                "integration-name": "Snowmelt",
                "python-modules": [
                    "snowmelt.airflow.triggers",
                    "snowmelt.airflow.happenings",
                ],
            }
        ],
    }
