"""Snowmelt in Airflow: operators, sensors and triggers that ask a service over HTTP.

Nothing of the engine is imported below: a worker needs Airflow, `httpx` and these
modules. A DAG imports from `snowmelt.airflow.operators`, `.sensors` and `.assets`.
"""
