"""Carries out exactly the plan that was approved, step by step."""

from __future__ import annotations

from collections.abc import Callable

from snowmelt.deploy.deployment import Deployment
from snowmelt.deploy.provider import Values
from snowmelt.deploy.steps import Plan, Step
from snowmelt.errors import SnowmeltError, UsageError


class StepError(SnowmeltError):
    """A step failed: those before it are done, those after it are not."""

    def __init__(self, step: Step, cause: SnowmeltError, done: int, left: int) -> None:
        self.step = step
        self.done = done
        self.left = left
        told = f"{cause.where}: {cause.problem}" if cause.where else cause.problem
        after = f"{done} done before it, {left} left. Apply again to go on from there."
        remedy = f"{cause.remedy}\n{after}" if cause.remedy else after
        super().__init__(f"{step.action} {step.address}", told, remedy)
        self.exit_code = cause.exit_code


def require_same(shown: str, now: Plan) -> None:
    """Refuse a plan that is not the one that was approved, by its digest's beginning.

    Raises UsageError.
    """
    if len(shown) < 8 or not now.digest.startswith(shown.lower()):
        raise UsageError(
            f"plan {shown[:12]}",
            f"what is there or is wanted changed: the plan is {now.digest[:12]} now",
            "Look at it and approve it: snowmelt deploy plan",
        )


def apply_plan(
    deployment: Deployment,
    approved: Plan,
    told: Callable[[Step], None] = lambda step: None,
) -> int:
    """Carry out the steps of a plan; return how many were done.

    Each step may be repeated: stopped anywhere, planning and applying anew leads to the
    same end. Raises StepError for the first one that fails.
    """
    values = Values(deployment.owner, deployment.providers)
    acting = approved.acting
    for done, step in enumerate(acting):
        told(step)
        try:
            deployment.providers[step.address.provider].carry_out(step, values)
        except SnowmeltError as error:
            left = len(acting) - done - 1
            raise StepError(step, error, done, left) from error
    return len(acting)
