"""Is the account where the bucket is? What crosses regions is slower, and costs."""

from __future__ import annotations

from snowmelt.deploy.naming import Names
from snowmelt.deploy.snowflake.session import AccountError, Session

_ASKED = "SELECT CURRENT_REGION() AS REGION"
_CLOUD = "AWS_"


def told_of_region(session: Session, names: Names) -> str:
    """Return what there is to say of the account's region; empty if it is the bucket's.

    `PUBLIC.AWS_EU_CENTRAL_1` is eu-central-1
    (https://docs.snowflake.com/en/sql-reference/functions/current_region).
    """
    try:
        [row] = session.rows(_ASKED)
    except AccountError:
        return ""
    region = str(row["region"]).rpartition(".")[2].upper()
    wanted = names.target.aws.region
    if region == _CLOUD + wanted.upper().replace("-", "_"):
        return ""
    where = region.removeprefix(_CLOUD).lower().replace("_", "-")
    where = where if region.startswith(_CLOUD) else region
    return (
        f"the account is in {where}, the bucket in {wanted}: what is copied crosses "
        "regions, which takes longer and costs"
    )
