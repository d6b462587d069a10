"""Would AWS allow it? Policies evaluated as its documentation says, without AWS.

An explicit deny wins over every allow; what nothing allows is denied. Within an
account an allow of the identity's policies or of the resource's is enough, between two
accounts both are needed, and some resources (keys, roles to be taken) are opened by
their own policy alone. Not looked at: boundaries, public access blocks, policies of
sessions and organisations. A policy that says what is not known here is an error.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from snowmelt.deploy.aws.conditions import (
    Context,
    UnknownPolicyError,
    as_list,
    holds,
    matches,
    matches_resource,
)

_ACCOUNT = re.compile(r"\d{12}")
_ROOT = re.compile(r"arn:aws[a-z-]*:iam::(\d{12}):root")
_SESSION = re.compile(r"arn:(aws[a-z-]*):sts::(\d{12}):assumed-role/([^/]+)/.+")
_ELEMENTS = {
    "Sid",
    "Effect",
    "Principal",
    "NotPrincipal",
    "Action",
    "NotAction",
    "Resource",
    "NotResource",
    "Condition",
}


@dataclass(frozen=True)
class Request:
    """Somebody wants to do something with a thing.

    `principal` is an ARN, or the name of a service; `account` is the one that the
    thing belongs to, for an ARN may have none in it.
    """

    principal: str
    action: str
    resource: str
    account: str
    context: Context = field(default_factory=dict)


@dataclass(frozen=True)
class Decision:
    """Whether it is allowed, and which statement says so (None: none does)."""

    allowed: bool
    by: str | None

    def __bool__(self) -> bool:
        return self.allowed


class _Match(Enum):
    """How a resource's statement speaks of a principal."""

    NO = 0
    ITS_ACCOUNT = 1
    ITSELF = 2


@dataclass(frozen=True)
class _Said:
    """What a set of policies says of a request: the deciding statements' names."""

    denied: str | None = None
    allowed: str | None = None
    delegated: str | None = None


def decide(
    request: Request,
    *,
    identity: Iterable[Mapping[str, Any]] = (),
    resource: Mapping[str, Any] | None = None,
    only_resource_opens: bool = False,
) -> Decision:
    """Decide about a request.

    `identity` are the policies that hang on the principal, `resource` is the one that
    hangs on the thing. `only_resource_opens`: without a word of the thing's own policy
    nobody gets in, as with keys and with roles that are taken.

    Raises UnknownPolicyError.
    """
    theirs = _said(request, identity, of_resource=False)
    its = _said(request, [resource] if resource else [], of_resource=True)
    denied = theirs.denied or its.denied
    if denied:
        return Decision(False, denied)
    if _is_service(request.principal):
        return Decision(its.allowed is not None, its.allowed)
    opened = its.allowed or its.delegated
    if _account_of(request.principal) != request.account:
        both = theirs.allowed and opened
        return Decision(bool(both), opened if both else None)
    if only_resource_opens and not opened:
        return Decision(False, None)
    by = its.allowed or theirs.allowed
    return Decision(by is not None, by)


def _said(
    request: Request, policies: Iterable[Mapping[str, Any]], *, of_resource: bool
) -> _Said:
    """Read all statements, the last ones too: an unknown one is never passed over."""
    denied = allowed = delegated = None
    for number, statement in enumerate(_statements(policies), start=1):
        match = _match(request, statement, of_resource=of_resource)
        if match is _Match.NO:
            continue
        name = str(statement.get("Sid") or f"statement {number}")
        if statement["Effect"] == "Deny":
            denied = denied or name
        elif match is _Match.ITSELF:
            allowed = allowed or name
        else:
            delegated = delegated or name
    return _Said(denied, allowed, delegated)


def _statements(policies: Iterable[Mapping[str, Any]]) -> Iterable[Mapping[str, Any]]:
    for document in policies:
        for statement in as_list(document["Statement"]):
            unknown = statement.keys() - _ELEMENTS
            if unknown or statement.get("Effect") not in ("Allow", "Deny"):
                raise UnknownPolicyError(f"a statement cannot be read: {statement}")
            yield statement


def _match(
    request: Request, statement: Mapping[str, Any], *, of_resource: bool
) -> _Match:
    """Say whether a statement speaks of this request, and how of who asks."""
    who = _principal(request.principal, statement) if of_resource else _Match.ITSELF
    conditions = holds(statement.get("Condition", {}), request.context)
    speaks = (
        _listed(statement, "Action", request.action, _is_action)
        and _listed(statement, "Resource", request.resource, matches_resource)
        and conditions
    )
    if statement["Effect"] == "Deny" and who is not _Match.NO:
        who = _Match.ITSELF  # who refuses an account refuses everybody in it
    return who if speaks else _Match.NO


def _listed(
    statement: Mapping[str, Any],
    element: str,
    value: str,
    match: Callable[[str, str], bool],
) -> bool:
    """Is a value named by an element, or not named by its Not…?

    Only a trust policy says no resource: it is about the role that it hangs on.
    """
    if f"Not{element}" in statement:
        return not any(match(p, value) for p in as_list(statement[f"Not{element}"]))
    if element in statement:
        return any(match(p, value) for p in as_list(statement[element]))
    if element == "Action":
        raise UnknownPolicyError(f"a statement has no action: {statement}")
    return True


def _is_action(pattern: str, action: str) -> bool:
    return matches(pattern, action, ignore_case=True)


def _principal(principal: str, statement: Mapping[str, Any]) -> _Match:
    if "NotPrincipal" in statement or "Principal" not in statement:
        raise UnknownPolicyError(
            "a resource's statement without Principal is not known"
        )
    named = statement["Principal"]
    if named == "*":
        named = {"AWS": "*"}
    if not isinstance(named, Mapping):
        raise UnknownPolicyError(f"the principal {named} is not known")
    if _is_service(principal):
        is_named = principal in as_list(named.get("Service", []))
        return _Match.ITSELF if is_named or _anybody(named) else _Match.NO
    found = [_match_arn(principal, str(each)) for each in as_list(named.get("AWS", []))]
    return max(found, key=lambda match: match.value, default=_Match.NO)


def _anybody(named: Mapping[str, Any]) -> bool:
    return "*" in as_list(named.get("AWS", []))


def _match_arn(principal: str, named: str) -> _Match:
    """A whole name, its account, or `*`: no other wildcard works in a principal."""
    if named == "*" or named in (principal, _role_of(principal)):
        return _Match.ITSELF
    root = _ROOT.fullmatch(named)
    account = root[1] if root else named
    if _ACCOUNT.fullmatch(account) and account == _account_of(principal):
        return _Match.ITS_ACCOUNT
    return _Match.NO


def _role_of(principal: str) -> str | None:
    """Return the role that a session has taken."""
    session = _SESSION.fullmatch(principal)
    return f"arn:{session[1]}:iam::{session[2]}:role/{session[3]}" if session else None


def _is_service(principal: str) -> bool:
    return not principal.startswith("arn:")


def _account_of(principal: str) -> str:
    return principal.split(":")[4]
