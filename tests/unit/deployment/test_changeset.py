"""A change set is executed or taken away again; a deployment is followed to its end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.stub import ANY, Stubber
from tests.unit.deployment.fake_cloudformation import ADD, FakeCloudFormation

from deployment import changeset
from deployment.changeset import execute, open_change_set, plan_request, write_template
from deployment.configuration import Configuration
from deployment.errors import DeploymentFailed
from deployment.stack import Event, Stack, read_stack
from log_aggregator.errors import CannotStart, Interrupted

CONFIGURATION = Configuration(stack_name="logs", parameters={"Bucket": "b"}, tags={"team": "logs"})


def no_sleep(_seconds: float) -> None:
    """Time passes at once."""


def opened(cloudformation: FakeCloudFormation) -> Any:
    stack = read_stack(cloudformation, "logs")
    return open_change_set(
        cloudformation,
        stack,
        plan_request(CONFIGURATION, stack, ["Bucket", "Days"], "deploy-1"),
        no_sleep,
    )


def test_a_first_change_set_leaves_nothing_behind() -> None:
    """Not executed: the change set goes, and the empty stack that it made."""
    cloudformation = FakeCloudFormation()
    with opened(cloudformation) as change_set:
        assert [change.logical_id for change in change_set.changes] == ["Topic"]
    assert cloudformation.calls == ["create_change_set", "delete_change_set", "delete_stack"]
    assert cloudformation.status is None


@pytest.mark.parametrize("status", ["CREATE_COMPLETE", "REVIEW_IN_PROGRESS"])
def test_a_stack_that_was_there_is_never_deleted(status: str) -> None:
    """Not even one in review: somebody else's change set may be in it."""
    cloudformation = FakeCloudFormation(status)
    with opened(cloudformation):
        pass
    assert cloudformation.calls == ["create_change_set", "delete_change_set"]
    assert cloudformation.status == status


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_whatever_happens_while_it_is_shown_takes_it_away(error: type[BaseException]) -> None:
    cloudformation = FakeCloudFormation()
    with pytest.raises(error), opened(cloudformation):
        raise error
    assert cloudformation.change_sets == set()
    assert cloudformation.status is None


def test_ctrl_c_before_there_is_one_is_no_error() -> None:
    """The clean-up also runs where CreateChangeSet never arrived."""
    cloudformation = FakeCloudFormation()

    def interrupt(**request: Any) -> None:
        raise KeyboardInterrupt

    cloudformation.create_change_set = interrupt  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt), opened(cloudformation):
        pass


@pytest.mark.parametrize(
    "reason",
    [
        "The submitted information didn't contain changes. Submit ...",
        "No updates are to be performed.",
    ],
)
def test_no_changes_is_no_failure(reason: str) -> None:
    """CloudFormation says so by failing the change set."""
    cloudformation = FakeCloudFormation("CREATE_COMPLETE", refusal=reason)
    with opened(cloudformation) as change_set:
        assert change_set.is_empty
    assert cloudformation.change_sets == set()


def test_a_refused_change_set_gives_its_reasons_and_is_taken_away() -> None:
    """Also those that CloudFormation tells only when asked, of this operation alone; and what to do
    about a bucket that is there.
    """
    validation = [
        {
            "OperationId": "2",
            "LogicalResourceId": "B",
            "ResourceType": "AWS::S3::Bucket",
            "ValidationStatusReason": "it already exists",
        },
        {
            "OperationId": "1",
            "LogicalResourceId": "C",
            "ResourceType": "T",
            "ValidationStatusReason": "long ago",
        },
    ]
    cloudformation = FakeCloudFormation(refusal="validation failed", validation=validation)
    with (
        pytest.raises(
            DeploymentFailed,
            match=r"(?s)validation failed.*B \(AWS::S3::Bucket\): "
            r"it already exists.*can be imported",
        ) as caught,
        opened(cloudformation),
    ):
        pass
    assert "long ago" not in str(caught.value)
    assert cloudformation.status is None


def test_all_pages_of_changes_are_read() -> None:
    cloudformation = FakeCloudFormation(changes=[ADD, ADD, ADD])
    with opened(cloudformation) as change_set:
        assert len(change_set.changes) == 3


def test_a_parameter_that_is_not_given_keeps_its_value() -> None:
    """In an update; one that the template does not have any more is left out."""
    stack = Stack("logs", "UPDATE_COMPLETE", {"Days": "7", "Gone": "1", "Bucket": "old"})
    request = plan_request(CONFIGURATION, stack, ["Bucket", "Days"], "deploy-1")
    assert request["Parameters"] == [
        {"ParameterKey": "Bucket", "ParameterValue": "b"},
        {"ParameterKey": "Days", "UsePreviousValue": True},
    ]
    assert request["ChangeSetType"] == "UPDATE"
    assert request["Tags"] == [{"Key": "team", "Value": "logs"}]
    assert "RoleARN" not in request


def test_a_new_stack_has_no_previous_values() -> None:
    for stack in (Stack("logs"), Stack("logs", "REVIEW_IN_PROGRESS", {"Days": "7"})):
        request = plan_request(CONFIGURATION, stack, ["Bucket", "Days"], "deploy-1")
        assert request["ChangeSetType"] == "CREATE"
        assert [each["ParameterKey"] for each in request["Parameters"]] == ["Bucket"]


def run(cloudformation: FakeCloudFormation) -> tuple[Stack, list[Event]]:
    seen: list[Event] = []
    with opened(cloudformation) as change_set:
        return execute(cloudformation, change_set, seen.append, no_sleep), seen


def test_an_execution_is_followed_to_its_end() -> None:
    """Every event once, oldest first, none from before; the change set is CloudFormation's and
    stays.
    """
    endings = [
        ("UPDATE_COMPLETE", [("logs", "UPDATE_IN_PROGRESS", "")]),
        ("UPDATE_IN_PROGRESS", []),
        ("UPDATE_COMPLETE", [("Topic", "UPDATE_COMPLETE", ""), ("logs", "UPDATE_COMPLETE", "")]),
    ]
    cloudformation = FakeCloudFormation("UPDATE_COMPLETE", endings=endings)
    cloudformation.add_event("logs", "UPDATE_COMPLETE")
    stack, seen = run(cloudformation)
    assert stack.status == "UPDATE_COMPLETE"
    assert [(event.logical_id, event.status) for event in seen] == [
        ("logs", "UPDATE_IN_PROGRESS"),
        ("Topic", "UPDATE_COMPLETE"),
        ("logs", "UPDATE_COMPLETE"),
    ]
    assert "delete_change_set" not in cloudformation.calls


def test_a_failed_deployment_gives_the_causes() -> None:
    """Not what was cancelled because of them."""
    endings = [
        (
            "ROLLBACK_COMPLETE",
            [
                ("Topic", "CREATE_FAILED", "no permission"),
                ("Other", "CREATE_FAILED", "Resource creation cancelled"),
                ("logs", "ROLLBACK_COMPLETE", ""),
            ],
        )
    ]
    with pytest.raises(
        DeploymentFailed,
        match=r"ended as ROLLBACK_COMPLETE:\n"
        r"  Topic \(AWS::SNS::Topic\) CREATE_FAILED: no permission$",
    ):
        run(FakeCloudFormation(endings=endings))


def test_ctrl_c_while_it_deploys_says_that_it_goes_on() -> None:
    """And the change set that is under way is not deleted."""
    cloudformation = FakeCloudFormation("UPDATE_COMPLETE")

    def interrupt(ChangeSetName: str, StackName: str) -> None:  # noqa: N803
        raise KeyboardInterrupt

    cloudformation.execute_change_set = interrupt  # type: ignore[method-assign]
    with pytest.raises(Interrupted, match=r"goes on in CloudFormation.*cancel-update-stack"):
        run(cloudformation)
    assert cloudformation.change_sets == {"deploy-1"}


@pytest.mark.parametrize(
    ("status", "said"),
    [("ROLLBACK_COMPLETE", "delete-stack"), ("UPDATE_IN_PROGRESS", "another deployment")],
)
def test_a_stack_that_takes_no_change_set_is_said_so_first(status: str, said: str) -> None:
    with pytest.raises(CannotStart, match=said):
        Stack("logs", status).check_can_change()


@pytest.mark.parametrize(
    "status",
    ["", "REVIEW_IN_PROGRESS", "CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE"],
)
def test_all_others_take_one(status: str) -> None:
    Stack("logs", status).check_can_change()


def test_a_large_template_goes_into_the_functions_bucket(tmp_path: Path) -> None:
    """CloudFormation takes 51,200 bytes at most by themselves."""
    packaged = tmp_path / "packaged.yaml"
    text = "CodeUri: s3://artifacts/logs/abc\n"
    packaged.write_text(text, encoding="utf-8")
    assert write_template(None, packaged, "logs") == {"TemplateBody": text}
    packaged.write_text(text + "#" * changeset.TEMPLATE_BYTES_MAX, encoding="utf-8")
    s3 = boto3.client(
        "s3", region_name="eu-west-1", aws_access_key_id="x", aws_secret_access_key="y"
    )
    with Stubber(s3) as stub:
        stub.add_response("put_object", {}, {"Bucket": "artifacts", "Key": ANY, "Body": ANY})
        url = write_template(s3, packaged, "logs")["TemplateURL"]
    assert url.startswith("https://s3.eu-west-1.amazonaws.com/artifacts/logs/")
    assert url.endswith(".template")
