"""Snowmelt in Dagster: assets of pipes and models, a sensor of what a service did.

Nothing of the engine is imported below. A `defs.yaml` names
`snowmelt.dagster.component.SnowmeltComponent`.
"""
