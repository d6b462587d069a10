"""The rights of those who work with a target: who deploys it, and the service.

Printed for the person who hands out rights; nothing here is applied by us.
"""

from __future__ import annotations

from snowmelt.deploy.aws.policies import listing
from snowmelt.deploy.aws.site import PROJECT_TAG, TARGET_TAG, Site
from snowmelt.deploy.aws.statements import Conditions, Document, Statement, policy

_BUCKET_READ = (
    "s3:GetBucketLocation",
    "s3:GetBucketNotification",
    "s3:GetBucketPolicy",
    "s3:GetBucketPublicAccessBlock",
    "s3:GetBucketTagging",
    "s3:GetBucketVersioning",
    "s3:GetEncryptionConfiguration",
    "s3:GetLifecycleConfiguration",
    "s3:ListBucketVersions",
)
_BUCKET_WRITE = (
    "s3:CreateBucket",
    "s3:DeleteBucket",
    "s3:PutBucketNotification",
    "s3:PutBucketPolicy",
    "s3:PutBucketPublicAccessBlock",
    "s3:PutBucketTagging",
    "s3:PutBucketVersioning",
    "s3:PutEncryptionConfiguration",
    "s3:PutLifecycleConfiguration",
    "s3:TagResource",
)
_ADOPTED = ("s3:GetBucketNotification", "s3:PutBucketNotification")
_TOPIC = (
    "sns:CreateTopic",
    "sns:DeleteTopic",
    "sns:GetTopicAttributes",
    "sns:ListSubscriptionsByTopic",
    "sns:ListTagsForResource",
    "sns:SetTopicAttributes",
    "sns:Subscribe",
    "sns:TagResource",
)
_SUBSCRIPTION = (
    "sns:GetSubscriptionAttributes",
    "sns:SetSubscriptionAttributes",
    "sns:Unsubscribe",
)
_QUEUES = (
    "sqs:CreateQueue",
    "sqs:DeleteQueue",
    "sqs:GetQueueAttributes",
    "sqs:GetQueueUrl",
    "sqs:ListQueueTags",
    "sqs:SetQueueAttributes",
    "sqs:TagQueue",
)
_ROLE = (
    "iam:CreateRole",
    "iam:DeleteRole",
    "iam:DeleteRolePolicy",
    "iam:GetRole",
    "iam:GetRolePolicy",
    "iam:ListAttachedRolePolicies",
    "iam:ListRolePolicies",
    "iam:PutRolePolicy",
    "iam:TagRole",
    "iam:UpdateAssumeRolePolicy",
)
_KEY = (
    "kms:CancelKeyDeletion",
    "kms:EnableKey",
    "kms:EnableKeyRotation",
    "kms:GetKeyPolicy",
    "kms:GetKeyRotationStatus",
    "kms:PutKeyPolicy",
    "kms:ScheduleKeyDeletion",
)


def operator(site: Site) -> Document:
    """Return what `snowmelt deploy` needs: the project's own things, and no others."""
    bucket = _ADOPTED if site.adopts_bucket else _BUCKET_READ + _BUCKET_WRITE
    return policy(
        Statement("Bucket", "Allow", tuple(sorted(bucket)), (site.bucket_arn,)),
        Statement("Topic", "Allow", _TOPIC, (site.topic_arn,)),
        Statement("Subscription", "Allow", _SUBSCRIPTION, (f"{site.topic_arn}*",)),
        Statement("Queues", "Allow", _QUEUES, (site.queue_arn, site.dead_letters_arn)),
        Statement("Role", "Allow", _ROLE, (site.role_arn,)),
        Statement(
            "PoliciesOfOthers",
            "Allow",
            ("iam:GetPolicy", "iam:GetPolicyVersion"),
            (f"arn:{site.partition}:iam::*:policy/*",),
        ),
        Statement("FindByTags", "Allow", ("tag:GetResources",), ("*",)),
        *(() if site.adopts_bucket else _of_the_key(site)),
    )


def _of_the_key(site: Site) -> tuple[Statement, ...]:
    """A key has no name of its own, so that it is known by its tags.

    It may be made with ours only, and none but those that have them may be changed.
    AWS cannot tell tagging a new key from tagging an old one: who deploys could mark
    another key of the account as this project's.
    """
    return (
        Statement(
            "MakeKey",
            "Allow",
            ("kms:CreateKey", "kms:TagResource"),
            ("*",),
            conditions=_tagged(site, "aws:RequestTag"),
        ),
        Statement(
            "FindKey",
            "Allow",
            ("kms:DescribeKey", "kms:ListResourceTags"),
            (_keys(site),),
        ),
        Statement(
            "Key",
            "Allow",
            _KEY,
            (_keys(site),),
            conditions=_tagged(site, "aws:ResourceTag"),
        ),
        Statement(
            "KeyName",
            "Allow",
            ("kms:CreateAlias", "kms:DeleteAlias"),
            (site.key_alias_arn,),
        ),
        Statement(
            "KeyUnderName",
            "Allow",
            ("kms:CreateAlias", "kms:DeleteAlias"),
            (_keys(site),),
            conditions=_tagged(site, "aws:ResourceTag"),
        ),
    )


def erasing(site: Site) -> Document:
    """Return what `destroy --with-data` needs besides: to empty the bucket."""
    return policy(
        Statement(
            "EmptyBucket",
            "Allow",
            ("s3:DeleteObject", "s3:DeleteObjectVersion"),
            (f"{site.bucket_arn}/*",),
        )
    )


def service(site: Site, *, puts_away: bool = False) -> Document:
    """Return what `snowmelt up` and `land` need while they run.

    `puts_away`: pipes archive, tag or purge files after their load.
    """
    files = ["s3:AbortMultipartUpload", "s3:GetObject", "s3:GetObjectVersion"]
    files += ["s3:ListMultipartUploadParts", "s3:PutObject"]
    if puts_away:
        files += ["s3:DeleteObject", "s3:GetObjectTagging", "s3:PutObjectTagging"]
    return policy(
        listing(site),
        Statement("Files", "Allow", tuple(sorted(files)), (site.files_arn,)),
        *_using_key(site),
        Statement(
            "Notifications",
            "Allow",
            (
                "sqs:ChangeMessageVisibility",
                "sqs:DeleteMessage",
                "sqs:GetQueueUrl",
                "sqs:ReceiveMessage",
            ),
            (site.queue_arn,),
        ),
        Statement(
            "Unreadable",
            "Allow",
            ("sqs:GetQueueUrl", "sqs:SendMessage"),
            (site.dead_letters_arn,),
        ),
    )


def _using_key(site: Site) -> tuple[Statement, ...]:
    """Our key is known by its alias: its ARN is not before it is made."""
    rights = ("kms:Decrypt", "kms:GenerateDataKey")
    if not site.adopts_bucket:
        named = {"ForAnyValue:StringEquals": {"kms:ResourceAliases": (site.key_alias,)}}
        return (Statement("Key", "Allow", rights, (_keys(site),), conditions=named),)
    if site.bucket_key_arn is None:
        return ()
    return (Statement("Key", "Allow", rights, (site.bucket_key_arn,)),)


def _tagged(site: Site, where: str) -> Conditions:
    return {
        "StringEquals": {
            f"{where}/{PROJECT_TAG}": (site.owner.project,),
            f"{where}/{TARGET_TAG}": (site.owner.target,),
        }
    }


def _keys(site: Site) -> str:
    return f"arn:{site.partition}:kms:{site.region}:{site.account}:key/*"
