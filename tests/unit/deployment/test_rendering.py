"""The table of changes, and the warnings that nobody may overlook."""

from __future__ import annotations

from deployment.rendering import (
    Change,
    Output,
    parse_changes,
    render_changes,
    render_first_steps,
    render_outputs,
    render_warnings,
)

CHANGES = [
    Change("Modify", "PlanFunction", "AWS::Lambda::Function", "False"),
    Change("Add", "ListFunction", "AWS::Lambda::Function"),
    Change(
        "Modify",
        "CommonDestinationBucket",
        "AWS::S3::Bucket",
        "True",
        "ReplaceAndRetain",
        "packs-1",
    ),
    Change("Remove", "OldFunction", "AWS::Lambda::Function", "", "Delete", "old"),
]


def test_the_table_says_what_becomes_of_each_resource() -> None:
    assert render_changes(CHANGES)[:8] == [
        "action    resource                 type                   replaced",
        "--------  -----------------------  ---------------------  --------",
        "+ add     ListFunction             AWS::Lambda::Function",
        "* change  PlanFunction             AWS::Lambda::Function  no",
        "* change  CommonDestinationBucket  AWS::S3::Bucket        yes",
        "- remove  OldFunction              AWS::Lambda::Function",
        "",
        "1 to add, 2 to change, 1 to remove",
    ]


def test_everything_that_is_replaced_or_removed_is_warned_of() -> None:
    """Buckets first. Nothing that stays is warned of."""
    assert render_warnings(CHANGES) == [
        (
            "WARNING: CommonDestinationBucket (AWS::S3::Bucket, packs-1) is replaced: the bucket "
            "stays where it is, with all that is in it"
        ),
        "WARNING: OldFunction (AWS::Lambda::Function, old) is removed from the stack",
    ]


def test_a_bucket_that_is_deleted_is_said_to_be() -> None:
    """Retained and deleted are not the same warning; a replacement that only may happen counts."""
    gone, perhaps = render_warnings(
        [
            Change("Remove", "B", "AWS::S3::Bucket", "", "Delete"),
            Change("Modify", "C", "AWS::S3::Bucket", "Conditional"),
        ]
    )
    assert (
        "B (AWS::S3::Bucket) is removed from the stack: CloudFormation tries to delete the bucket"
        in gone
    )
    assert "C (AWS::S3::Bucket) may be replaced" in perhaps


def test_changes_are_read_as_cloudformation_writes_them() -> None:
    """What is not there is empty; hooks and other kinds of changes are no resources."""
    answer = {
        "Changes": [
            {
                "Type": "Resource",
                "ResourceChange": {"Action": "Add", "LogicalResourceId": "A", "ResourceType": "T"},
            },
            {
                "Type": "Resource",
                "ResourceChange": {
                    "Action": "Modify",
                    "LogicalResourceId": "B",
                    "ResourceType": "T",
                    "Replacement": "True",
                },
            },
            {"HookInvocationCount": 1},
        ]
    }
    assert parse_changes(answer) == [Change("Add", "A", "T"), Change("Modify", "B", "T", "True")]


def test_the_first_step_changes_nothing_and_can_be_pasted() -> None:
    """Stars are quoted. With a bucket of its own packs are looked for there, else under the
    prefix.
    """
    parameters = {
        "ControlTowerBucket": "main",
        "OtherBuckets": "vpc-*,elb",
        "FinalAggregationPrefix": "AggregatedLogs",
    }
    common = render_first_steps(
        parameters, [Output("CommonDestinationBucketName", "packs", "")], "eu-west-1"
    )[1]
    assert common.split()[:2] == [".venv/bin/log-aggregator", "plan"]
    assert common.endswith(
        "--region eu-west-1 --control-tower-bucket main --other-buckets 'vpc-*,elb' "
        "--destination-bucket packs"
    )
    assert render_first_steps(parameters, [], "eu-west-1")[1].endswith(
        "--final-aggregation-prefix AggregatedLogs"
    )


def test_where_declared_layouts_go_is_told_where_they_count() -> None:
    """With other buckets only: in those of Control Tower nothing has to be declared."""
    outputs = [Output("LayoutsFile", "s3://work/settings/layouts.toml", "")]
    told = render_first_steps({"OtherBuckets": "elb"}, outputs, "eu-west-1")
    assert told[-1] == (
        "  aws s3 cp layouts.toml s3://work/settings/layouts.toml --region eu-west-1"
    )
    assert "declare-your-logs" in told[2]
    assert len(render_first_steps({"OtherBuckets": "elb"}, [], "eu-west-1")) == 2
    assert len(render_first_steps({"ControlTowerBucket": "main"}, outputs, "eu-west-1")) == 2


def test_outputs_say_what_they_are_for() -> None:
    assert render_outputs([Output("A", "1", "the first"), Output("B", "2", "")]) == [
        "A: 1",
        "    the first",
        "B: 2",
    ]
