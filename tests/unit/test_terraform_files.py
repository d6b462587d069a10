"""What is written for Terraform: the same settings and policies, our files only."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import hcl2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aws_site import some_names
from snowmelt.deploy.aws import policies
from snowmelt.deploy.aws.resources import aws_resources, told_rule
from snowmelt.deploy.aws.site import Site
from snowmelt.deploy.aws.statements import same
from snowmelt.deploy.aws.terraform.folder import LIST, write_folder
from snowmelt.deploy.aws.terraform.hcl import Block, Expression, quoted, written
from snowmelt.deploy.aws.terraform.writing import terraform_files
from snowmelt.deploy.naming import Names
from snowmelt.deploy.resource import Mark
from snowmelt.errors import ConfigError

NAMES = some_names(region="eu-central-1", expire_versions_after="30d")
SITE = Site.of(NAMES)
KEY = "arn:aws:kms:eu-central-1:123456789012:key/1"
GIVEN = {"key_arn": KEY, "user_arn": "arn:u", "external_id": "x", "subscriber_arn": "s"}


def files_of(names: Names) -> dict[str, str]:
    return terraform_files(Site.of(names), aws_resources(names))


def plain(value: Any) -> Any:
    """Return what was parsed without its quotes and the parser's own notes."""
    if isinstance(value, Mapping):
        return {
            plain(key): plain(each)
            for key, each in value.items()
            if not str(key).startswith("__")
        }
    if isinstance(value, list):
        return [plain(each) for each in value]
    if isinstance(value, str) and value.startswith('"') and value.endswith('"'):
        return json.loads(value)
    return value


def parsed(files: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Return the resources of all files, by kind and label."""
    found: dict[str, dict[str, Any]] = {}
    for name, text in files.items():
        if name.endswith(".tf"):
            for block in plain(hcl2.loads(text)).get("resource", []):
                for kind, labelled in block.items():
                    found.setdefault(kind, {}).update(labelled)
    return found


def document_of(files: Mapping[str, str], name: str) -> Any:
    text = files[f"policies/{name}.json"]
    for word, value in GIVEN.items():
        text = text.replace(f"${{{word}}}", value)
    assert "${" not in text
    return json.loads(text)


def test_policies_are_those_that_we_apply() -> None:
    files = files_of(NAMES)
    wanted = {
        "key": policies.key(SITE),
        "bucket": policies.bucket(SITE),
        "topic": policies.topic(SITE, "s"),
        "queue": policies.queue(SITE),
        "trust": policies.trust("arn:u", "x"),
        "role": policies.reading(SITE, KEY),
    }
    written_ones = {name for name in files if name.startswith("policies/")}
    assert written_ones == {f"policies/{name}.json" for name in wanted}
    for name, document in wanted.items():
        assert same(document_of(files, name), document), name


def test_settings_are_those_that_we_apply() -> None:
    found = parsed(files_of(NAMES))
    wanted = {
        (each.address.kind, each.address.name): each.properties
        for each in aws_resources(NAMES)
    }
    key = found["aws_kms_key"]["landing"]
    assert key["enable_key_rotation"] is True
    assert found["aws_kms_alias"]["landing"]["name"] == SITE.key_alias
    bucket = wanted["bucket", SITE.bucket]
    assert found["aws_s3_bucket"]["landing"]["bucket"] == SITE.bucket
    (rule,) = found["aws_s3_bucket_server_side_encryption_configuration"]["landing"][
        "rule"
    ]
    (default,) = rule["apply_server_side_encryption_by_default"]
    assert default["sse_algorithm"] == bucket["encryption"]
    assert rule["bucket_key_enabled"] is bucket["bucket_key"]
    (versioning,) = found["aws_s3_bucket_versioning"]["landing"][
        "versioning_configuration"
    ]
    assert versioning["status"] == bucket["versioning"]
    blocked = found["aws_s3_bucket_public_access_block"]["landing"]
    assert [value for key, value in blocked.items() if key != "bucket"] == [True] * 4
    rules = found["aws_s3_bucket_lifecycle_configuration"]["landing"]["rule"]
    assert tuple(told_rule(as_s3(rule)) for rule in rules) == bucket["lifecycle"]

    queue = wanted["queue", SITE.queue]
    made = found["aws_sqs_queue"]["landing"]
    assert made["name"] == SITE.queue
    assert made["message_retention_seconds"] == queue["retention_seconds"]
    assert made["visibility_timeout_seconds"] == queue["visibility_seconds"]
    assert made["receive_wait_time_seconds"] == queue["wait_seconds"]
    assert made["sqs_managed_sse_enabled"] is True
    assert f"maxReceiveCount = {queue['receives_max']}" in made["redrive_policy"]
    assert found["aws_sqs_queue"]["dead_letters"]["name"] == SITE.dead_letters
    subscription = found["aws_sns_topic_subscription"]["landing"]
    assert subscription["raw_message_delivery"] is queue["raw_messages"]

    notification = wanted["notification", SITE.bucket]
    (told,) = found["aws_s3_bucket_notification"]["landing"]["topic"]
    assert told["events"] == list(notification["events"])  # type: ignore[arg-type]
    assert told["filter_prefix"] == notification["prefix"]
    mark = Mark.read(told["id"])
    assert mark is not None
    assert mark.owner == NAMES.owner
    assert found["aws_iam_role"]["snowflake"]["name"] == SITE.role


def as_s3(rule: Mapping[str, Any]) -> dict[str, Any]:
    """Return a lifecycle rule of Terraform as S3 has it."""
    (where,) = rule["filter"]
    said: dict[str, Any] = {
        "ID": rule["id"],
        "Status": rule["status"],
        "Filter": {"Prefix": where.get("prefix", "")},
    }
    for part in rule.get("noncurrent_version_expiration", []):
        days = part["noncurrent_days"]
        said["NoncurrentVersionExpiration"] = {"NoncurrentDays": days}
    for part in rule.get("abort_incomplete_multipart_upload", []):
        days = part["days_after_initiation"]
        said["AbortIncompleteMultipartUpload"] = {"DaysAfterInitiation": days}
    return said


def test_each_resource_has_its_blocks_and_none_has_others() -> None:
    found = parsed(files_of(NAMES))
    assert {kind: sorted(labelled) for kind, labelled in found.items()} == {
        "aws_iam_role": ["snowflake"],
        "aws_iam_role_policy": ["snowflake"],
        "aws_kms_alias": ["landing"],
        "aws_kms_key": ["landing"],
        "aws_s3_bucket": ["landing"],
        "aws_s3_bucket_lifecycle_configuration": ["landing"],
        "aws_s3_bucket_notification": ["landing"],
        "aws_s3_bucket_policy": ["landing"],
        "aws_s3_bucket_public_access_block": ["landing"],
        "aws_s3_bucket_server_side_encryption_configuration": ["landing"],
        "aws_s3_bucket_versioning": ["landing"],
        "aws_sns_topic": ["landing"],
        "aws_sns_topic_policy": ["landing"],
        "aws_sns_topic_subscription": ["landing"],
        "aws_sqs_queue": ["dead_letters", "landing"],
        "aws_sqs_queue_policy": ["landing"],
    }
    adopted = parsed(files_of(some_names(adopt_bucket=True)))
    assert not any(kind.startswith("aws_kms") for kind in adopted)
    assert [kind for kind in adopted if kind.startswith("aws_s3")] == [
        "aws_s3_bucket_notification"
    ]


def test_no_secret_and_no_credential_is_written() -> None:
    text = "\n".join(files_of(NAMES).values())
    for word in ("access_key", "secret", "token", "password"):
        assert word not in text


# The language

_TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")))


@given(_TEXTS, st.integers(-1000, 1000), st.booleans(), st.lists(_TEXTS, max_size=3))
def test_what_is_written_is_read_again(
    text: str, number: int, flag: bool, texts: list[str]
) -> None:
    block = Block(
        "resource",
        ("kind", "name"),
        {"text": f"a{text}", "number": number, "flag": flag, "texts": texts},
    )
    back = plain(hcl2.loads(written([block])))["resource"][0]["kind"]["name"]
    escaped = f"a{text}".replace("${", "$${").replace("%{", "%%{")
    assert back["number"] == number
    assert back["flag"] is flag
    assert back["text"] == escaped
    assert len(back["texts"]) == len(texts)


def test_expressions_in_texts_are_texts() -> None:
    assert quoted('a"${b}%{c}\n') == '"a\\"$${b}%%{c}\\n"'
    assert written([Block("a", ("b",))]) == 'a "b" {}\n'
    assert written([Block("a", (), {"b": Expression("c.d"), "long": {"e": 1}})]) == (
        "a {\n  b = c.d\n\n  long = {\n    e = 1\n  }\n}\n"
    )


# The folder


def test_writing_twice_changes_nothing(tmp_path: Path) -> None:
    files = files_of(NAMES)
    first = write_folder(tmp_path / "infra", files)
    assert set(first.written) == set(files)
    stamps = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.tf")}
    again = write_folder(tmp_path / "infra", files)
    assert again.written == again.removed == ()
    assert set(again.unchanged) == set(files)
    assert stamps == {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.tf")}


def test_files_of_ours_are_written_anew_and_removed(tmp_path: Path) -> None:
    write_folder(tmp_path, {"a.tf": "1", "b.tf": "1", "c/d.json": "1"})
    done = write_folder(tmp_path, {"a.tf": "2", "b.tf": "1"})
    assert (done.written, done.removed, done.unchanged) == (
        ("a.tf",),
        ("c/d.json",),
        ("b.tf",),
    )
    assert (tmp_path / "a.tf").read_text() == "2"
    assert not (tmp_path / "c/d.json").exists()


@pytest.mark.parametrize("name", ["a.tf", "b.tf"])
def test_what_was_changed_by_hand_is_never_written_over(
    tmp_path: Path, name: str
) -> None:
    write_folder(tmp_path, {"a.tf": "1", "b.tf": "1"})
    (tmp_path / name).write_text("mine")
    before = {path.name: path.read_text() for path in tmp_path.iterdir()}
    with pytest.raises(ConfigError, match=f"{name}.*changed by hand"):
        write_folder(tmp_path, {"a.tf": "2", "c.tf": "1"})
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == before


def test_what_somebody_else_wrote_is_never_written_over(tmp_path: Path) -> None:
    (tmp_path / "a.tf").write_text("theirs")
    (tmp_path / "other.tf").write_text("theirs")
    with pytest.raises(ConfigError, match="did not write it"):
        write_folder(tmp_path, {"a.tf": "1"})
    assert (tmp_path / "a.tf").read_text() == "theirs"
    assert not (tmp_path / LIST).exists()
    write_folder(tmp_path, {"b.tf": "1"})
    write_folder(tmp_path, {})
    assert (tmp_path / "other.tf").read_text() == "theirs"


def test_who_is_stopped_half_way_goes_on(tmp_path: Path) -> None:
    files = {"a.tf": "1", "b.tf": "1"}
    write_folder(tmp_path, files)
    (tmp_path / "b.tf").chmod(0o400)
    listed = json.loads((tmp_path / LIST).read_text())
    # As if it had been stopped after the list and the first file:
    changed = {"a.tf": "2", "b.tf": "2"}
    write_folder(tmp_path / "other", changed)
    new = json.loads((tmp_path / "other" / LIST).read_text())["files"]
    listed["files"] = {name: [*listed["files"][name], *new[name]] for name in files}
    (tmp_path / LIST).write_text(json.dumps(listed))
    (tmp_path / "a.tf").write_text("2")
    (tmp_path / "b.tf").chmod(0o600)
    done = write_folder(tmp_path, changed)
    assert done.written == ("b.tf",)


def test_a_list_that_cannot_be_read_stops_all(tmp_path: Path) -> None:
    write_folder(tmp_path, {"a.tf": "1"})
    (tmp_path / LIST).write_text("[]")
    with pytest.raises(ConfigError, match="not as we wrote it"):
        write_folder(tmp_path, {"a.tf": "2"})
