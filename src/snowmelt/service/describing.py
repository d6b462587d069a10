"""A project as the tools of others are told of it."""

from __future__ import annotations

from snowmelt.observe.export.described import Described
from snowmelt.project.project import Project


def described(project: Project) -> Described:
    """Return a project's names in the forms that receivers know."""
    landing = project.settings.landing
    bucket = landing.bucket_path
    return Described(
        name=project.settings.name,
        root=project.root,
        warehouse_path=project.warehouse_path,
        stage="file" if bucket is None else f"s3://{bucket.bucket}",
        prefix=f"{project.landing}/" if bucket is None else bucket.prefix,
        tables={
            pipe.name: (
                f"{pipe.schema_name}.{pipe.table_name}",
                tuple((each.name, str(each.type)) for each in pipe.contract.columns),
            )
            for pipe in project.pipes
        },
    )
