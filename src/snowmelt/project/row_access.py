"""Who sees which rows on a target: `row_access:` of an account of Snowflake."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator

from snowmelt.pipe.contract import Column

RuleName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,60}$")]
RoleName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,126}$")]


class RowAccessRule(BaseModel):
    """Rows are shown by the value of one column; who is not named sees none."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: str = Field("varchar", description="The type of the column, as in contracts.")
    sees: dict[RoleName, tuple[str | int, ...]] = Field(
        min_length=1,
        description="Roles of the account, and for each the values whose rows it "
        "sees: `{SALES_DE: [DE, AT]}`.",
    )

    @field_validator("type")
    @classmethod
    def _is_known(cls, given: str) -> str:
        return Column(name="val", type=given).type

    @field_validator("sees", mode="before")
    @classmethod
    def _are_no_booleans(cls, given: Any) -> Any:
        for role, values in given.items() if isinstance(given, dict) else ():
            if isinstance(values, list) and any(isinstance(e, bool) for e in values):
                raise ValueError(
                    f"a value of {role} is yes or no to YAML: write it in quotes, 'NO'"
                )
        return given

    @field_validator("sees")
    @classmethod
    def _has_values(
        cls, given: dict[str, tuple[str | int, ...]]
    ) -> dict[str, tuple[str | int, ...]]:
        for role, values in given.items():
            if not values:
                raise ValueError(f"a role that sees no value is left out: {role}")
        return given
