"""The questions of `doctor`, to S3 and several other services. It only reads: a guard refuses
everything else.

If the S3 server is not AWS, the other services are expected on the same server, never at AWS, which
must not see that server's credentials.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from botocore.model import OperationModel
from botocore.parsers import ResponseParserError

from log_aggregator.adapters.s3.clients import (
    ClientSettings,
    make_clients,
    make_service_client,
)
from log_aggregator.adapters.s3.deadlines import calling
from log_aggregator.adapters.s3.effective import describe_configuration
from log_aggregator.adapters.s3.errors import ERRORS, explain, one_line
from log_aggregator.adapters.s3.owners import ANYBODY, Owners
from log_aggregator.errors import AccessDenied, NoSuchBucket, NotFound, RequestFailed, StoreError
from log_aggregator.ports.account import (
    BucketEncryption,
    BucketVersioning,
    Caller,
    ConfiguredValue,
    Decision,
    DeliveryChannel,
    InventoryConfiguration,
    KmsKey,
    LambdaConcurrency,
    LifecycleRule,
    ObjectLock,
    Organization,
    PublicAccessBlock,
    Trail,
    Transition,
)

READING = re.compile("(Get|List|Describe|Head|Simulate)[A-Z]")
YEAR_DAYS = 365
INVENTORY_PAGES_MAX = 10
"""A bucket has at most 1,000 inventories, and a page 100 of them
(https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListBucketInventoryConfigurations.html).
"""

DENIED_CODES = frozenset({"AccessDeniedException", "UnauthorizedOperation", "NotAuthorized"})
MISSING_CODES = frozenset({"NoSuchEntity", "NotFoundException"})
"""Codes of other services; S3's are in `errors.ERRORS`."""

UNREADABLE = (ResponseParserError, LookupError, AttributeError)
"""What botocore's parsers raise over a page from some other web server."""


class S3Inspector:
    """Implements `log_aggregator.inspection.AccountInspector`."""

    def __init__(
        self,
        open_client: Callable[[str], Any],
        owners: Owners,
        configuration: Sequence[ConfiguredValue] = (),
    ) -> None:
        """`open_client` makes the client of a service. It is called at the first question to it."""

        def open_guarded(service: str) -> Any:
            client = open_client(service)
            client.meta.events.register("before-call", refuse_changes)
            return client

        self._client_of = functools.cache(open_guarded)
        self._owners = owners
        self.configuration = configuration
        """The AWS configuration in use, and where each value came from."""

    @classmethod
    def connect(cls, settings: ClientSettings) -> S3Inspector:
        """Raises BadConfiguration if there are no credentials, or if the configuration cannot be
        used.
        """
        clients = make_clients(settings)
        s3, session = clients.s3, clients.session

        def open_client(service: str) -> Any:
            if service == "s3":
                return s3
            return make_service_client(session, service, settings, str(s3.meta.endpoint_url))

        effective = describe_configuration(session, s3, settings)
        return cls(open_client, clients.owners, effective)

    @property
    def region(self) -> str:
        return str(self._client_of("s3").meta.region_name)

    def get_caller_identity(self) -> Caller:
        response = self._ask("sts", "GetCallerIdentity", needed=("Account", "Arn"))
        return Caller(response["Account"], response["Arn"])

    def describe_organization(self) -> Organization:
        found = self._ask("organizations", "DescribeOrganization", needed=("Organization",))[
            "Organization"
        ]
        return Organization(found.get("Id", ""), found.get("MasterAccountId", ""))

    def get_role(self, name: str) -> str:
        return str(
            self._ask("iam", "GetRole", needed=("Role",), RoleName=name)["Role"].get("Arn", "")
        )

    def simulate_principal_policy(
        self,
        principal_arn: str,
        actions: Sequence[str],
        resource_arn: str,
        context: Mapping[str, str],
    ) -> list[Decision]:
        entries = [
            {
                "ContextKeyName": key,
                "ContextKeyValues": [value],
                "ContextKeyType": "boolean" if value in ("true", "false") else "string",
            }
            for key, value in context.items()
        ]
        request: dict[str, Any] = {
            "PolicySourceArn": principal_arn,
            "ActionNames": list(actions),
            "ResourceArns": [resource_arn],
        }
        request["ContextEntries"] = entries
        found: dict[str, Decision] = {}
        marker: dict[str, str] = {}
        while True:
            response = self._ask(
                "iam", "SimulatePrincipalPolicy", needed=("EvaluationResults",), **request, **marker
            )
            found |= {
                result["EvalActionName"]: parse_decision(result)
                for result in response["EvaluationResults"]
            }
            if not response.get("IsTruncated"):
                return [found.get(action, Decision(action, "implicitDeny")) for action in actions]
            marker = {"Marker": response["Marker"]}

    def expected_owner(self, bucket: str) -> str | None:
        return self._owners.of(bucket)

    def head_bucket(self, bucket: str, *, owner: str | None = None) -> str:
        """Without an owner it asks only whether the bucket exists. S3 answers 403 to a wrong owner
        and to a missing permission alike; asking both with and without an owner tells them apart.
        """
        response = self._ask(
            "s3", "HeadBucket", Bucket=bucket, ExpectedBucketOwner=owner or ANYBODY
        )
        return str(
            # The same header, in case botocore is too old to parse it.
            response.get("BucketRegion")
            or response["ResponseMetadata"]["HTTPHeaders"].get("x-amz-bucket-region", "")
        )

    def get_bucket_versioning(self, bucket: str) -> BucketVersioning:
        # A bucket that never had versions answers without a Status.
        response = self._ask("s3", "GetBucketVersioning", Bucket=bucket)
        return BucketVersioning(
            response.get("Status") or None, response.get("MFADelete") == "Enabled"
        )

    def get_object_lock_configuration(self, bucket: str) -> ObjectLock:
        response = self._ask(
            "s3",
            "GetObjectLockConfiguration",
            absent_code="ObjectLockConfigurationNotFoundError",
            Bucket=bucket,
        )
        found = response.get("ObjectLockConfiguration", {})
        default = found.get("Rule", {}).get("DefaultRetention", {})
        days = default.get("Days") or YEAR_DAYS * default.get("Years", 0)
        return ObjectLock(found.get("ObjectLockEnabled") == "Enabled", default.get("Mode"), days)

    def get_bucket_encryption(self, bucket: str) -> BucketEncryption:
        response = self._ask(
            "s3",
            "GetBucketEncryption",
            absent_code="ServerSideEncryptionConfigurationNotFoundError",
            Bucket=bucket,
        )
        for rule in response.get("ServerSideEncryptionConfiguration", {}).get("Rules", []):
            default = rule.get("ApplyServerSideEncryptionByDefault", {})
            return BucketEncryption(
                default.get("SSEAlgorithm", ""),
                default.get("KMSMasterKeyID"),
                bool(rule.get("BucketKeyEnabled")),
            )
        return BucketEncryption()

    def get_bucket_lifecycle_configuration(self, bucket: str) -> tuple[LifecycleRule, ...]:
        response = self._ask(
            "s3",
            "GetBucketLifecycleConfiguration",
            absent_code="NoSuchLifecycleConfiguration",
            Bucket=bucket,
        )
        return tuple(
            parse_lifecycle_rule(rule)
            for rule in response.get("Rules", [])
            if rule.get("Status") == "Enabled"
        )

    def get_public_access_block(self, bucket: str) -> PublicAccessBlock:
        response = self._ask(
            "s3",
            "GetPublicAccessBlock",
            absent_code="NoSuchPublicAccessBlockConfiguration",
            Bucket=bucket,
        )
        found = response.get("PublicAccessBlockConfiguration", {})
        names = (
            "BlockPublicAcls",
            "IgnorePublicAcls",
            "BlockPublicPolicy",
            "RestrictPublicBuckets",
        )
        return PublicAccessBlock(*(bool(found.get(name)) for name in names))

    def get_bucket_ownership_controls(self, bucket: str) -> str:
        response = self._ask(
            "s3",
            "GetBucketOwnershipControls",
            absent_code="OwnershipControlsNotFoundError",
            Bucket=bucket,
        )
        rules = response.get("OwnershipControls", {}).get("Rules", [])
        return str(rules[0]["ObjectOwnership"]) if rules else ""

    def list_bucket_inventory_configurations(self, bucket: str) -> list[InventoryConfiguration]:
        found: list[InventoryConfiguration] = []
        token: dict[str, str] = {}
        for _ in range(INVENTORY_PAGES_MAX):
            response = self._ask("s3", "ListBucketInventoryConfigurations", Bucket=bucket, **token)
            found += (
                parse_inventory(each)
                for each in response.get("InventoryConfigurationList", [])
                if each.get("IsEnabled")
            )
            if not response.get("NextContinuationToken"):
                break
            token = {"ContinuationToken": response["NextContinuationToken"]}
        return found

    def describe_key(self, key_id: str) -> KmsKey:
        found = self._ask("kms", "DescribeKey", needed=("KeyMetadata",), KeyId=key_id)[
            "KeyMetadata"
        ]
        return KmsKey(
            found.get("Arn", key_id),
            found.get("AWSAccountId", ""),
            found.get("KeyState", "Enabled"),
            found.get("KeyManager", "CUSTOMER"),
        )

    def describe_trails(self) -> list[Trail]:
        found = self._ask("cloudtrail", "DescribeTrails", includeShadowTrails=True).get(
            "trailList", []
        )
        return [
            Trail(
                trail["Name"],
                trail.get("S3BucketName", ""),
                bool(trail.get("IsOrganizationTrail")),
                trail.get("KmsKeyId") or None,
            )
            for trail in found
        ]

    def describe_delivery_channels(self) -> list[DeliveryChannel]:
        found = self._ask("config", "DescribeDeliveryChannels").get("DeliveryChannels", [])
        return [
            DeliveryChannel(
                channel.get("name", ""),
                channel.get("s3BucketName", ""),
                channel.get("s3KmsKeyArn") or None,
            )
            for channel in found
        ]

    def get_lambda_concurrency(self) -> LambdaConcurrency:
        found = self._ask("lambda", "GetAccountSettings", needed=("AccountLimit",))["AccountLimit"]
        account = int(found.get("ConcurrentExecutions", 0))
        return LambdaConcurrency(account, int(found.get("UnreservedConcurrentExecutions", account)))

    def _ask(
        self,
        service: str,
        operation: str,
        *,
        absent_code: str = "",
        needed: Sequence[str] = (),
        **request: Any,
    ) -> dict[str, Any]:
        """The response. S3 reports a configuration that was never made as an error; `absent_code`
        is its code, which becomes an empty response. Raises StoreError if a `needed` field is
        missing.
        """
        where = f"s3://{request['Bucket']}" if "Bucket" in request else service
        method = getattr(self._client_of(service), to_method(operation))
        try:
            with service_errors(operation, where):
                response: dict[str, Any] = method(**request)
        except StoreError as error:
            if absent_code and error.code == absent_code:
                return {}
            raise
        if not all(name in response for name in needed):
            raise StoreError(
                f"{operation} {where}: the answer has no {', '.join(needed)}",
                code="BadAnswer",
                operation=operation,
            )
        return response


def refuse_changes(model: OperationModel, **_: Any) -> None:
    """Called before every request. Raises ValueError for one that could change something: only a
    mistake in this module could send it.
    """
    if not READING.match(model.name):
        raise ValueError(f"{model.name} is not a request that only reads")


def to_method(operation: str) -> str:
    """The method's name in botocore: HeadBucket becomes head_bucket."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", operation).lower()


@contextmanager
def service_errors(operation: str, where: str) -> Iterator[None]:
    """Errors of botocore's inside the block become errors of ours, whichever service it is."""
    try:
        with calling(operation):
            yield
    except ClientError as error:
        answer = error.response.get("Error", {})
        code, status = (
            str(answer.get("Code", "")),
            int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)),
        )
        message = one_line(str(answer.get("Message", "")))
        text = f"{operation} {where}: {code or status}" + (f": {message}" if message else "")
        raise kind_of(operation, code, status)(
            text, code=code or str(status), operation=operation
        ) from error
    except BotoCoreError as error:
        code = type(error).__name__
        kind = ERRORS.get(code, StoreError)
        raise kind(
            f"{operation} {where}: {code}: {explain(error)}", code=code, operation=operation
        ) from error
    except UNREADABLE as error:
        raise StoreError(
            f"{operation} {where}: the answer cannot be read", code="BadAnswer", operation=operation
        ) from error


def kind_of(operation: str, code: str, status: int) -> type[RequestFailed]:
    """The error class. An answer to HEAD has no code, so a 404 to HeadBucket means that there is no
    such bucket. A 404 without a code to anything else comes from a server that does not know the
    request.
    """
    if code in DENIED_CODES or (status == HTTPStatus.FORBIDDEN and code not in ERRORS):
        return AccessDenied
    if status == HTTPStatus.NOT_FOUND and operation == "HeadBucket":
        return NoSuchBucket
    if code in MISSING_CODES:
        return NotFound
    return ERRORS.get(code, StoreError)


def parse_decision(result: Mapping[str, Any]) -> Decision:
    """https://docs.aws.amazon.com/IAM/latest/APIReference/API_EvaluationResult.html.

    The decision for the resource is in ResourceSpecificResults; EvalDecision alone is about all
    resources of the request.
    """
    specific = result.get("ResourceSpecificResults") or [{}]
    decision = specific[0].get("EvalResourceDecision") or result["EvalDecision"]
    missing = {
        *result.get("MissingContextValues", ()),
        *specific[0].get("MissingContextValues", ()),
    }
    allowed = result.get("OrganizationsDecisionDetail", {}).get("AllowedByOrganizations", True)
    return Decision(result["EvalActionName"], decision, not allowed, tuple(sorted(missing)))


def parse_inventory(found: Mapping[str, Any]) -> InventoryConfiguration:
    """The destination is named by its ARN
    (https://docs.aws.amazon.com/AmazonS3/latest/API/API_InventoryS3BucketDestination.html).
    """
    written_to = found.get("Destination", {}).get("S3BucketDestination", {})
    bucket = str(written_to.get("Bucket", "")).rpartition(":")[2]
    return InventoryConfiguration(str(found.get("Id", "")), bucket, written_to.get("Prefix", ""))


def parse_lifecycle_rule(rule: Mapping[str, Any]) -> LifecycleRule:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_LifecycleRule.html.

    The prefix is in one of three places: Filter, Filter's And if there are other conditions, or the
    rule itself in configurations from before Filter existed.
    """
    outer = rule.get("Filter", {})
    both = outer.get("And", {})
    expiration = rule.get("Expiration", {})
    until = expiration.get("Date")
    return LifecycleRule(
        id=rule.get("ID", ""),
        prefix=outer.get("Prefix") or both.get("Prefix") or rule.get("Prefix") or "",
        has_tags="Tag" in outer or bool(both.get("Tags")),
        expiration_days=expiration.get("Days"),
        expiration_date=until.date() if until else None,
        transitions=(
            *(
                Transition(entry["StorageClass"], entry.get("Days"))
                for entry in rule.get("Transitions", ())
            ),
            *(
                Transition(entry["StorageClass"], entry.get("NoncurrentDays"), True)
                for entry in rule.get("NoncurrentVersionTransitions", ())
            ),
        ),
        abort_days=rule.get("AbortIncompleteMultipartUpload", {}).get("DaysAfterInitiation"),
    )
