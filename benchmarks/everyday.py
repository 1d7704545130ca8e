"""CloudTrail logs whose values repeat as those of a real account do. In the synthetic organisation
of the lab nearly every event has an id that no other has.

The assumptions, for an account and a day: instances and functions that act as roles, with new keys
every few hours; people and pipelines with a session each; a fifteenth of all events assumes a role,
and its answer names an access key that is used for some minutes; buckets, tables, keys and roles
that are used by Zipf's law. Ids of events and requests, and tokens, are random in every event.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any

EVENTS_OF_A_LOG = 55
"""Some 60 KB, and 8 KB as gzip."""
INSTANCES, FUNCTIONS, PEOPLE, PIPELINES = 40, 30, 8, 40
KEYS_OF_A_DAY = 4
RESOURCES = 1_500
AGENTS = tuple(
    f"aws-sdk-{name}/1.{minor}.{patch} os/linux lang/{name} md/internal"
    for name in ("go", "java", "python", "rust")
    for minor in (11, 35)
    for patch in range(4)
)
CALLS: Sequence[tuple[str, str, str]] = (
    ("s3", "GetObject", "bucketName"),
    ("s3", "PutObject", "bucketName"),
    ("s3", "ListObjects", "bucketName"),
    ("kms", "Decrypt", "keyId"),
    ("kms", "GenerateDataKey", "keyId"),
    ("dynamodb", "DescribeTable", "tableName"),
    ("ec2", "DescribeInstances", "instanceId"),
    ("ec2", "DescribeVolumes", "volumeId"),
    ("logs", "CreateLogStream", "logGroupName"),
    ("ssm", "GetParameter", "name"),
    ("secretsmanager", "GetSecretValue", "secretId"),
    ("iam", "GetRole", "roleName"),
    ("ecr", "BatchGetImage", "repositoryName"),
    ("lambda", "GetFunction", "functionName"),
)
ASSUMING_SHARE = 1 / 15


@dataclass(frozen=True, slots=True)
class Caller:
    role: str
    session: str
    key: str
    address: str
    agent: str


class Account:
    """Makes the logs of one account, day by day."""

    def __init__(self, number: int) -> None:
        self.account = f"{100_000_000_000 + number}"
        self._random = Random(number)
        self._addresses = [self._address() for _ in range(60)]
        self._instances = [f"i-{self._random.getrandbits(68):017x}" for _ in range(INSTANCES)]
        self._resources = [f"app-{n % 97}-{self.account[-4:]}-{n}" for n in range(RESOURCES)]
        self._weights = [1 / (n + 1) for n in range(RESOURCES)]

    def logs(self, day: datetime, count: int) -> Iterator[bytes]:
        callers = self._callers()
        for number in range(count):
            moment = day + timedelta(seconds=86_000 * number // count)
            events = [
                self._event(self._random.choice(callers), moment + timedelta(seconds=5 * n))
                for n in range(EVENTS_OF_A_LOG)
            ]
            yield json.dumps({"Records": events}, separators=(",", ":")).encode()

    def _callers(self) -> list[Caller]:
        sessions = [
            *(("instances", name) for name in self._instances for _ in range(KEYS_OF_A_DAY)),
            *((f"function-{n}", f"function-{n}") for n in range(FUNCTIONS) for _ in range(3)),
            *(("Administrators", f"person-{n}@example.com") for n in range(PEOPLE)),
            *(("deploy", f"run-{self._random.getrandbits(32)}") for _ in range(PIPELINES)),
        ]
        return [Caller(*session, self._key(), self._from(), self._agent()) for session in sessions]

    def _key(self) -> str:
        return "ASIA" + "".join(self._random.choices("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", k=16))

    def _address(self) -> str:
        return ".".join(str(self._random.randrange(1, 255)) for _ in range(4))

    def _from(self) -> str:
        return self._random.choice([*self._addresses, "lambda.amazonaws.com"])

    def _agent(self) -> str:
        return self._random.choice(AGENTS)

    def _id(self) -> str:
        text = f"{self._random.getrandbits(128):032x}"
        return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-a{text[17:20]}-{text[20:]}"

    def _event(self, caller: Caller, moment: datetime) -> Mapping[str, Any]:
        is_assuming = self._random.random() < ASSUMING_SHARE
        service, name, parameter = self._random.choice(CALLS)
        (resource,) = self._random.choices(self._resources, self._weights)
        parameters: dict[str, Any] = {parameter: resource}
        answer: dict[str, Any] | None = None
        if is_assuming:
            service, name = "sts", "AssumeRole"
            role = f"arn:aws:iam::{self.account}:role/{resource}"
            parameters = {"roleArn": role, "roleSessionName": caller.session}
            answer = {"credentials": {"accessKeyId": self._key(), "sessionToken": self._id() * 8}}
        return {
            "eventVersion": "1.11",
            "userIdentity": self._identity(caller, moment),
            "eventTime": f"{moment:%Y-%m-%dT%H:%M:%SZ}",
            "eventSource": f"{service}.amazonaws.com",
            "eventName": name,
            "awsRegion": "eu-west-1",
            "sourceIPAddress": caller.address,
            "userAgent": caller.agent,
            "requestParameters": parameters,
            "responseElements": answer,
            "requestID": self._id(),
            "eventID": self._id(),
            "readOnly": True,
            "eventType": "AwsApiCall",
            "managementEvent": True,
            "recipientAccountId": self.account,
            "eventCategory": "Management",
            "tlsDetails": {
                "tlsVersion": "TLSv1.3",
                "cipherSuite": "TLS_AES_128_GCM_SHA256",
                "clientProvidedHostHeader": f"{service}.eu-west-1.amazonaws.com",
            },
        }

    def _identity(self, caller: Caller, moment: datetime) -> Mapping[str, Any]:
        role_id = f"AROA{caller.role.upper():X<17}"[:21]
        return {
            "type": "AssumedRole",
            "principalId": f"{role_id}:{caller.session}",
            "arn": f"arn:aws:sts::{self.account}:assumed-role/{caller.role}/{caller.session}",
            "accountId": self.account,
            "accessKeyId": caller.key,
            "sessionContext": {
                "sessionIssuer": {
                    "type": "Role",
                    "principalId": role_id,
                    "arn": f"arn:aws:iam::{self.account}:role/{caller.role}",
                    "accountId": self.account,
                    "userName": caller.role,
                },
                "attributes": {
                    "creationDate": f"{moment:%Y-%m-%dT%H:00:00Z}",
                    "mfaAuthenticated": "false",
                },
            },
        }
