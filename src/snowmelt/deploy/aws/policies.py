"""Who may do what: every policy of the AWS side, as a pure function of names.

Each grants what its holder needs and no more; `tests/unit/test_aws_policies.py` has the
table of what is allowed and what is not.
"""

from __future__ import annotations

from snowmelt.deploy.aws.site import Site
from snowmelt.deploy.aws.statements import Document, Statement, Text, merge, policy

S3_PUBLISHES = "SnowmeltBucketPublishes"
SNOWFLAKE_SUBSCRIBES = "SnowmeltSnowflakeSubscribes"
TOPIC_SENDS = "SnowmeltTopicSends"
TLS_ONLY = "SnowmeltTlsOnly"
KEY_FOLLOWS_IAM = "SnowmeltAccountByIam"
TRUST = "SnowmeltSnowflakeTakesRole"

TOPIC_SIDS = (S3_PUBLISHES, SNOWFLAKE_SUBSCRIBES)
QUEUE_SIDS = (TOPIC_SENDS,)
BUCKET_SIDS = (TLS_ONLY,)
KEY_SIDS = (KEY_FOLLOWS_IAM,)
_S3 = "s3.amazonaws.com"
_SNS = "sns.amazonaws.com"


def trust(user_arn: Text, external_id: Text) -> Document:
    """Let one user of Snowflake's account take the role, with our external id only."""
    return policy(
        Statement(
            TRUST,
            "Allow",
            ("sts:AssumeRole",),
            principals={"AWS": (user_arn,)},
            conditions={"StringEquals": {"sts:ExternalId": (external_id,)}},
        )
    )


def reading(site: Site, key_arn: Text | None) -> Document:
    """Return what Snowflake's role may: read and list below the prefix.

    The bucket's location is asked for without a prefix, so that it stands alone: under
    the listing's condition it would be refused. No key: the files have none of KMS.
    """
    decrypting = (
        [Statement("DecryptFiles", "Allow", ("kms:Decrypt",), (key_arn,))]
        if key_arn
        else []
    )
    return policy(
        Statement(
            "ReadFiles",
            "Allow",
            ("s3:GetObject", "s3:GetObjectVersion"),
            (site.files_arn,),
        ),
        listing(site),
        Statement("FindBucket", "Allow", ("s3:GetBucketLocation",), (site.bucket_arn,)),
        *decrypting,
    )


def listing(site: Site) -> Statement:
    """Let a bucket be listed below the prefix; the whole of it where there is none."""
    below = {"StringLike": {"s3:prefix": (f"{site.prefix}*",)}} if site.prefix else {}
    return Statement(
        "ListFiles", "Allow", ("s3:ListBucket",), (site.bucket_arn,), conditions=below
    )


def publishing(site: Site) -> Statement:
    """Let our bucket, of our account, publish to the topic.

    A bucket's ARN has no account in it: without `aws:SourceAccount` a bucket of the
    same name that somebody else makes after ours is gone could publish, too.
    """
    return Statement(
        S3_PUBLISHES,
        "Allow",
        ("sns:Publish",),
        (site.topic_arn,),
        principals={"Service": (_S3,)},
        conditions={
            "ArnEquals": {"aws:SourceArn": (site.bucket_arn,)},
            "StringEquals": {"aws:SourceAccount": (site.account,)},
        },
    )


def subscribing(site: Site, user_arn: Text) -> Statement:
    """Let Snowflake's user subscribe its own queue to the topic."""
    return Statement(
        SNOWFLAKE_SUBSCRIBES,
        "Allow",
        ("sns:Subscribe",),
        (site.topic_arn,),
        principals={"AWS": (user_arn,)},
    )


def topic(site: Site, user_arn: Text | None, found: Document | None = None) -> Document:
    """Return the topic's policy, with what others wrote into it."""
    ours = [publishing(site)]
    if user_arn is not None:
        ours.append(subscribing(site, user_arn))
    return merge(found, [each.document() for each in ours])


def sending(site: Site) -> Statement:
    """Let the topic send to our queue."""
    return Statement(
        TOPIC_SENDS,
        "Allow",
        ("sqs:SendMessage",),
        (site.queue_arn,),
        principals={"Service": (_SNS,)},
        conditions={"ArnEquals": {"aws:SourceArn": (site.topic_arn,)}},
    )


def queue(site: Site, found: Document | None = None) -> Document:
    """Return our queue's policy, with what others wrote into it."""
    return merge(found, [sending(site).document()])


def tls_only(site: Site) -> Statement:
    """Refuse whoever does not encrypt the way to the bucket, whatever else allows."""
    return Statement(
        TLS_ONLY,
        "Deny",
        ("s3:*",),
        (site.bucket_arn, f"{site.bucket_arn}/*"),
        principals={"AWS": ("*",)},
        conditions={"Bool": {"aws:SecureTransport": ("false",)}},
    )


def bucket(site: Site, found: Document | None = None) -> Document:
    """Return the bucket's policy, with what others wrote into it."""
    return merge(found, [tls_only(site).document()])


def key(site: Site) -> Document:
    """Return the key's policy: the account's IAM policies say who may use it.

    Without the account's root no policy could, and a key whose only administrator is
    deleted could never be managed again.
    """
    return policy(
        Statement(
            KEY_FOLLOWS_IAM,
            "Allow",
            ("kms:*",),
            ("*",),
            principals={"AWS": (site.account_arn,)},
        )
    )
