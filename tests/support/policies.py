"""What a policy of ours allows, as IAM would decide it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.infra.access import as_list

OWN = "${aws:PrincipalAccount}"
Use = tuple[str, str, str]
"""A statement's name, and the action and the resource in it that allowed something."""


@dataclass
class Policies:
    """The documents of one user. `account` is the user's own; `used` records what allowed
    something: the most specific of several.
    """

    documents: Sequence[Mapping[str, Any]]
    account: str = "111122223333"
    used: set[Use] = field(default_factory=set)

    def may(self, action: str, arn: str, owner: str | None = None) -> bool:
        """`owner`: the account of the bucket, if it is not the user's own."""
        found = [
            (statement, use)
            for statement in self._statements()
            for use in _uses(statement)
            if use[1] == action and _matches(use[2], arn)
        ]
        if any(statement["Effect"] == "Deny" for statement, _ in found):
            return False
        allowing = [
            use for statement, use in found if self._holds(statement, owner or self.account)
        ]
        if allowing:
            self.used.add(max(allowing, key=lambda use: len(use[2])))
        return bool(allowing)

    def grants(self) -> set[Use]:
        """Everything that is allowed somewhere."""
        return {
            use
            for statement in self._statements()
            if statement["Effect"] == "Allow"
            for use in _uses(statement)
        }

    def _statements(self) -> Iterator[Mapping[str, Any]]:
        for document in self.documents:
            yield from document["Statement"]

    def _holds(self, statement: Mapping[str, Any], owner: str) -> bool:
        """The only condition that we write."""
        condition = statement.get("Condition")
        if condition is None:
            return True
        assert list(condition) == ["StringEquals"]
        assert list(condition["StringEquals"]) == ["aws:ResourceAccount"]
        wanted = condition["StringEquals"]["aws:ResourceAccount"]
        return owner == (self.account if wanted == OWN else wanted)


def _uses(statement: Mapping[str, Any]) -> Iterator[Use]:
    for action in as_list(statement["Action"]):
        for resource in as_list(statement["Resource"]):
            yield statement["Sid"], action, resource


def _matches(pattern: str, arn: str) -> bool:
    """A star matches any characters, including slashes."""
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), arn, re.DOTALL) is not None
