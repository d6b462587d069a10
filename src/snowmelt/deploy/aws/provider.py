"""AWS as `deploy` asks it: look, say, do."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from snowmelt.deploy.address import Address, Reference, Value, digest_of, references_in
from snowmelt.deploy.aws.calls import Calls, Missing, WrittenCalls, as_command
from snowmelt.deploy.aws.kinds.buckets import Buckets
from snowmelt.deploy.aws.kinds.keys import Keys
from snowmelt.deploy.aws.kinds.kind import Kind, Wish
from snowmelt.deploy.aws.kinds.notifications import Notifications
from snowmelt.deploy.aws.kinds.queues import Queues
from snowmelt.deploy.aws.kinds.roles import Roles
from snowmelt.deploy.aws.kinds.topics import TopicPolicies, Topics
from snowmelt.deploy.aws.marking import UNFINISHED
from snowmelt.deploy.aws.refusals import DeniedError
from snowmelt.deploy.aws.resources import PROVIDER
from snowmelt.deploy.aws.site import Site
from snowmelt.deploy.aws.tagged import tagged_arns
from snowmelt.deploy.provider import Values
from snowmelt.deploy.resource import Found, Mark, Resource, Sight, Unseen
from snowmelt.deploy.steps import Action, Step
from snowmelt.errors import ConfigError, SnowmeltError

_SERVICES = ("s3", "sns", "sqs")


class AwsProvider:
    """One account in one region, for one target of one project."""

    name = PROVIDER

    def __init__(self, site: Site, calls: Calls) -> None:
        self.site = site
        self.calls = calls
        self._owner = site.owner
        self._kinds: Mapping[str, Kind] = {
            "key": Keys(site),
            "bucket": Buckets(site),
            "topic": Topics(site),
            "topic_policy": TopicPolicies(site),
            "queue": Queues(site),
            "iam_role": Roles(site),
            "notification": Notifications(site),
        }

    def look(self, desired: Sequence[Resource]) -> Sight:
        """Find what is desired, what has this target's names, and all with our tags.

        Raises ConfigError when the credentials are of another account.
        """
        self._require_account()
        found: list[Found] = []
        unseen: list[Unseen] = []
        for address in self._looked_for(desired):
            try:
                each = self._kinds[address.kind].find(self.calls, address.name)
            except DeniedError as error:
                unseen.append(Unseen(address, error.problem, error.remedy))
                continue
            if each is not None:
                found.append(each)
        return Sight((*found, *self._unnamed_keys(found)), tuple(unseen))

    def _require_account(self) -> None:
        """Whoever is signed in elsewhere must not change anything there."""
        said = self.calls.ask("sts", "get_caller_identity")
        if said["Account"] != self.site.account:
            raise ConfigError(
                f"targets: {self._owner.target}: aws: account",
                f"the credentials are of account {said['Account']} ({said['Arn']}), "
                f"the target is in {self.site.account}",
                "Sign in there (AWS_PROFILE, or aws: profile), or correct the target.",
            )

    def _looked_for(self, desired: Sequence[Resource]) -> list[Address]:
        wanted = [each.address for each in desired if each.address.provider == PROVIDER]
        tagged = [
            address
            for arn in tagged_arns(self.calls, self._owner, *_SERVICES)
            for address in _addresses_of(arn)
        ]
        return sorted({*wanted, *self._own_addresses(), *tagged})

    def _own_addresses(self) -> Iterable[Address]:
        site = self.site
        own = not site.adopts_bucket
        names = {
            "key": (site.key_alias,) if own else (),
            "bucket": (site.bucket,) if own else (),
            "topic": (site.topic,),
            "topic_policy": (site.topic,),
            "queue": (site.queue, site.dead_letters),
            "iam_role": (site.role,),
            "notification": (site.bucket,),
        }
        for kind, each in names.items():
            yield from (Address(PROVIDER, kind, name) for name in each)

    def _unnamed_keys(self, found: Iterable[Found]) -> list[Found]:
        """Return keys of ours that our name does not lead to.

        While there is none that it leads to, the next one takes the name.
        """
        named = {each.outputs["arn"] for each in found if each.address.kind == "key"}
        others: list[Found] = []
        for arn in tagged_arns(self.calls, self._owner, "kms") if named else ():
            each = None if arn in named else self._kinds["key"].find(self.calls, arn)
            if each is not None and each.properties["state"] != "PendingDeletion":
                others.append(each)
        return others

    def script(self, step: Step) -> Sequence[str]:
        """Return a step as commands of the `aws` program; nothing is asked."""
        written = WrittenCalls()
        self._do(written, step, _shown, self._mark_in_script(step))
        text = "\n".join(written.lines)
        used = (each for each in _rests_on(step) if f"${_variable(each)}" in text)
        return [*map(_explained, used), *written.lines]

    def _mark_in_script(self, step: Step) -> Mark:
        """What is applied is only known here where nothing rests on something else."""
        wanted = step.wanted.properties if step.wanted else {}
        return Mark(self._owner, "" if _rests_on(step) else digest_of(wanted))

    def carry_out(self, step: Step, values: Values) -> None:
        mark = (
            values.mark(step.wanted) if step.wanted else Mark(self._owner, UNFINISHED)
        )
        try:
            self._do(self.calls, step, values.of, mark)
        except Missing as error:
            raise SnowmeltError(
                str(step.address), f"it went away meanwhile ({error})", "Apply again."
            ) from None

    def _do(
        self, calls: Calls, step: Step, of: Callable[[Value], Any], mark: Mark
    ) -> None:
        kind = self._kinds[step.address.kind]
        if step.action in (Action.DROP, Action.REPLACE):
            assert step.found is not None
            if step.action is Action.REPLACE:
                _require_empty(step.found)
            kind.drop(calls, step.found)
        if step.wanted is not None and step.action is not Action.DROP:
            kind.settle(calls, _wish(step, of, mark))

    def outputs(self, address: Address) -> Mapping[str, str]:
        """Return what others may ask for. Raises SnowmeltError when it is not there."""
        found = self._kinds[address.kind].find(self.calls, address.name)
        if found is None:
            raise SnowmeltError(str(address), "it is not there", "Apply again.")
        return found.outputs


def _wish(step: Step, of: Callable[[Value], Any], mark: Mark) -> Wish:
    assert step.wanted is not None
    is_new = step.action is not Action.CHANGE
    properties = step.wanted.properties
    inputs: Mapping[str, Value] = getattr(step.wanted, "inputs", {})
    changed = properties if is_new else (each.name for each in step.differences)
    return Wish(
        step.wanted,
        {name: of(value) for name, value in properties.items()},
        {name: of(value) for name, value in inputs.items()},
        mark,
        frozenset(changed),
        is_new,
    )


def _rests_on(step: Step) -> list[Reference]:
    wanted = step.wanted.properties if step.wanted else {}
    return sorted({each for value in wanted.values() for each in references_in(value)})


def _explained(reference: Reference) -> str:
    """Say in a script where a value of something else comes from."""
    variable, address = _variable(reference), reference.address
    if address.kind != "key":
        return f"# {variable}: {reference.output} of {address.kind} {address.name}"
    asked = as_command("kms", "describe_key", {"KeyId": address.name})
    return f"{variable}=$({asked} --query KeyMetadata.Arn --output text)"


def _variable(reference: Reference) -> str:
    return f"{reference.address.kind}_{reference.output}".upper()


def _shown(value: Value) -> Any:
    """Return a value for a script: what only another resource knows, by its name."""
    if isinstance(value, Reference):
        return f"${_variable(value)}"
    if isinstance(value, tuple):
        return tuple(_shown(part) for part in value)
    return value


def _require_empty(found: Found) -> None:
    """Making anew is no way to lose data: that has a word of its own."""
    if found.address.kind == "bucket" and found.holds:
        raise SnowmeltError(
            str(found.address),
            f"it is not made anew: it holds {found.holds}",
            "Move the files, and drop it: "
            f"snowmelt deploy destroy --with-data {found.address}",
        )


def _addresses_of(arn: str) -> list[Address]:
    """Return what an ARN may stand for; a key is looked at by its alias."""
    _, _, service, _, _, name = arn.split(":", 5)
    kinds = {
        "s3": ("bucket", "notification"),
        "sns": ("topic", "topic_policy"),
        "sqs": ("queue",),
    }
    return [Address(PROVIDER, kind, name) for kind in kinds.get(service, ())]
