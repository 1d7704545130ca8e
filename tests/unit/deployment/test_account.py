"""The right account, the right region, and buckets that are there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from deployment.account import Account, WrongAccount, check_buckets, connect
from deployment.errors import NoCredentials, aws_errors
from log_aggregator.errors import CannotStart, SettingsError

MINE = "111122223333"
MAIN = f"aws-controltower-logs-{MINE}-eu-west-1"


class StubbedAccount(Account):
    """Hands out one stubbed client."""

    def __init__(self, s3: Any) -> None:
        super().__init__(boto3.Session(), "eu-west-1", MINE, f"arn:aws:iam::{MINE}:role/admin")
        object.__setattr__(self, "_s3", s3)

    def client(self, service: str) -> Any:
        assert service == "s3"
        return self._s3  # type: ignore[attr-defined]


@pytest.fixture
def s3() -> Iterator[Any]:
    client = boto3.client(
        "s3", region_name="eu-west-1", aws_access_key_id="x", aws_secret_access_key="y"
    )
    with Stubber(client) as stub:
        client.stub = stub
        yield client
        stub.assert_no_pending_responses()


def has(s3: Any, *names: str, region: str = "eu-west-1") -> None:
    buckets = [{"Name": name, "BucketRegion": region} for name in names]
    s3.stub.add_response("list_buckets", {"Buckets": buckets}, {"MaxBuckets": 1000})


def head_fails(s3: Any, name: str, status: int) -> None:
    expected = {"Bucket": name, "ExpectedBucketOwner": MINE}
    s3.stub.add_client_error(
        "head_bucket", str(status), http_status_code=status, expected_params=expected
    )


def test_buckets_that_are_there_pass(s3: Any) -> None:
    """Names, several names, and beginnings; one listing, no HEAD."""
    has(s3, MAIN, "vpc-flow-a", "elb-logs")
    check_buckets(
        StubbedAccount(s3),
        {
            "ControlTowerBucket": MAIN,
            "OtherBuckets": "vpc-flow-*, elb-logs",
            "ControlTowerBucketAccessLogBucket": "",
        },
    )


def test_a_bucket_of_another_account_is_the_wrong_account(s3: Any) -> None:
    """The text says which account this is, and whose the bucket is as far as its name tells."""
    main = "aws-controltower-logs-999988887777-eu-west-1"
    has(s3, "something")
    head_fails(s3, main, 403)
    with pytest.raises(
        WrongAccount,
        match=rf"(?s)you are in account {MINE}.*Log Archive.*{main} belongs to another account "
        r"\(999988887777",
    ):
        check_buckets(StubbedAccount(s3), {"ControlTowerBucket": main})


def test_buckets_that_do_not_exist_are_named_all_at_once(s3: Any) -> None:
    """One run tells everything that is wrong, each with its parameter."""
    has(s3, MAIN)
    head_fails(s3, "typo-logs", 404)
    head_fails(s3, "gone", 404)
    parameters = {
        "ControlTowerBucket": MAIN,
        "OtherBuckets": "typo-logs,none-*",
        "ControlTowerBucketAccessLogBucket": "gone",
    }
    with pytest.raises(SettingsError) as caught:
        check_buckets(StubbedAccount(s3), parameters)
    assert str(caught.value).split("\n  ") == [
        "OtherBuckets: typo-logs: there is no such bucket",
        f"OtherBuckets: no bucket of account {MINE} begins with none-",
        "ControlTowerBucketAccessLogBucket: gone: there is no such bucket",
    ]


def test_a_bucket_of_another_region_is_refused(s3: Any) -> None:
    """The functions' client is of the stack's region, and follows no bucket elsewhere."""
    has(s3, MAIN, region="eu-central-1")
    with pytest.raises(
        SettingsError,
        match=r"is in eu-central-1, and the stack would go to eu-west-1.*--region eu-central-1",
    ):
        check_buckets(StubbedAccount(s3), {"ControlTowerBucket": MAIN})


def test_without_permission_to_list_each_bucket_is_asked_for(s3: Any) -> None:
    """HEAD with the owner that is expected; beginnings cannot be checked then."""
    s3.stub.add_client_error("list_buckets", "AccessDenied", http_status_code=403)
    s3.stub.add_response(
        "head_bucket", {"BucketRegion": "eu-west-1"}, {"Bucket": MAIN, "ExpectedBucketOwner": MINE}
    )
    check_buckets(StubbedAccount(s3), {"ControlTowerBucket": MAIN, "OtherBuckets": "vpc-*"})


def test_a_doubt_is_said_where_listing_is_not_allowed(s3: Any) -> None:
    """403 may then mean either."""
    s3.stub.add_client_error("list_buckets", "AccessDenied", http_status_code=403)
    head_fails(s3, MAIN, 403)
    with pytest.raises(CannotStart, match="or these credentials may not look at it"):
        check_buckets(StubbedAccount(s3), {"ControlTowerBucket": MAIN})


def test_other_failures_of_s3_are_not_taken_for_a_missing_bucket(s3: Any) -> None:
    """An error that says nothing about the bucket stops; it is no answer."""
    has(s3)
    head_fails(s3, MAIN, 400)
    with pytest.raises(Exception, match="400"):
        check_buckets(StubbedAccount(s3), {"ControlTowerBucket": MAIN})


@pytest.fixture
def nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    for name in (
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_PROFILE",
        "AWS_DEFAULT_REGION",
        "AWS_REGION",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))


@pytest.mark.usefixtures("nobody")
def test_no_credentials_says_how_to_log_in() -> None:
    with pytest.raises(NoCredentials, match="no AWS credentials were found") as caught:
        connect(None, "eu-west-1")
    assert caught.value.exit_code == 3
    assert "aws sso login" in caught.value.advice


@pytest.mark.usefixtures("nobody")
def test_no_region_is_an_error_of_the_settings() -> None:
    with pytest.raises(SettingsError, match="region: none is named"):
        connect(None, None)


@pytest.mark.usefixtures("nobody")
def test_an_unknown_profile_is_an_error_of_the_settings() -> None:
    with pytest.raises(SettingsError, match=r"--profile.*nonesuch"):
        connect("nonesuch", "eu-west-1")


@pytest.mark.parametrize(
    ("code", "kind", "exit_code"),
    [
        ("ExpiredToken", NoCredentials, 3),
        ("InvalidClientTokenId", NoCredentials, 3),
        ("AccessDenied", CannotStart, 3),
    ],
)
def test_refusals_are_told_apart(code: str, kind: type[CannotStart], exit_code: int) -> None:
    """Expired or wrong credentials are not a missing permission."""
    sts = boto3.client(
        "sts", region_name="eu-west-1", aws_access_key_id="x", aws_secret_access_key="y"
    )
    with Stubber(sts) as stub:
        stub.add_client_error("get_caller_identity", code, "said so")
        with pytest.raises(CannotStart, match="said so") as caught, aws_errors("credentials"):
            sts.get_caller_identity()
    assert type(caught.value) is kind
    assert caught.value.exit_code == exit_code
