"""Permissions: the statements of a stack's roles, and a small evaluator for them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.infra.stack import Stack


@dataclass(frozen=True)
class Statement:
    """A statement of a role's own policy. `condition` is empty if it always holds."""

    owner: str
    """The function or state machine that the role is made for."""
    sid: str
    effect: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    not_resources: tuple[str, ...]
    condition: dict[str, Any]

    def covers(self, action: str, arn: str) -> bool:
        if not any(_matches(pattern.lower(), action.lower()) for pattern in self.actions):
            return False
        if self.not_resources:
            return not any(_matches(pattern, arn) for pattern in self.not_resources)
        return any(_matches(pattern, arn) for pattern in self.resources)


_ROLES_OF_S3 = frozenset({"ReplicationRole"})
"""It acts for no function; platform.check_replication looks at it."""


def statements_of(stack: Stack) -> list[Statement]:
    return [
        found
        for role, properties in stack.of_type("AWS::IAM::Role").items()
        if role not in _ROLES_OF_S3
        for found in _of_role(role, properties)
    ]


def may(stack: Stack, owner: str, action: str, arn: str) -> bool:
    """An allowing statement's conditions count as met; a denial with conditions is ignored."""
    mine = [
        found
        for found in statements_of(stack)
        if found.owner == owner and found.covers(action, arn)
    ]
    denied = any(found.effect == "Deny" and not found.condition for found in mine)
    return not denied and any(found.effect == "Allow" for found in mine)


def is_always(statement: Statement) -> bool:
    """Its only condition is on the bucket's owner, which another check covers."""
    return set(statement.condition) <= {"StringEquals"} and set(
        statement.condition.get("StringEquals", ())
    ) <= {"aws:ResourceAccount"}


def owners(stack: Stack) -> list[str]:
    return [role.removesuffix("Role") for role in stack.of_type("AWS::IAM::Role")]


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _of_role(role: str, properties: dict[str, Any]) -> Iterator[Statement]:
    for policy in properties.get("Policies", []):
        for statement in policy["PolicyDocument"]["Statement"]:
            yield Statement(
                owner=role.removesuffix("Role"),
                sid=statement.get("Sid", ""),
                effect=statement["Effect"],
                actions=tuple(as_list(statement["Action"])),
                resources=tuple(as_list(statement.get("Resource", []))),
                not_resources=tuple(as_list(statement.get("NotResource", []))),
                condition=statement.get("Condition", {}),
            )


def _matches(pattern: str, text: str) -> bool:
    expression = "".join({"*": ".*", "?": "."}.get(char, re.escape(char)) for char in pattern)
    return re.fullmatch(expression, text, re.DOTALL) is not None
