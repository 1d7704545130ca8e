"""IAM policies as values: statements, documents, and the limit for a document."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

MANAGED_POLICY_CHARACTERS_MAX = 6_144
"""The limit of a managed policy, not counting white space
(https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html)."""

VERSION = "2012-10-17"


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement in the policy of a user or role. `account` is the account that must own the
    buckets; empty if the resources are not buckets.
    """

    sid: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    account: str = ""
    is_denial: bool = False

    def as_json(self) -> dict[str, Any]:
        """In IAM's form, in which a single value is not a list."""
        document: dict[str, Any] = {
            "Sid": self.sid,
            "Effect": "Deny" if self.is_denial else "Allow",
            "Action": _one_or_list(self.actions),
            "Resource": _one_or_list(self.resources),
        }
        if self.account:
            document["Condition"] = {"StringEquals": {"aws:ResourceAccount": self.account}}
        return document


def make_documents(
    statements: Iterable[Statement], characters_max: int = MANAGED_POLICY_CHARACTERS_MAX
) -> list[dict[str, Any]]:
    """Fills documents with the statements in their order; a statement that is too long for a
    document is cut between its resources. A denial works in any of the documents.
    """
    documents: list[dict[str, Any]] = []
    for statement in statements:
        for piece in _cut(statement, characters_max):
            found = piece.as_json()
            if documents and _fits(documents[-1], found, characters_max):
                documents[-1]["Statement"].append(found)
            else:
                documents.append(_document([found]))
    return documents


def count_characters(document: Mapping[str, Any]) -> int:
    """The length as IAM counts it."""
    return len("".join(json.dumps(document, separators=(",", ":")).split()))


def _cut(statement: Statement, characters_max: int) -> Iterator[Statement]:
    """Each piece gets its own Sid, because a Sid must be unique in a document."""
    pieces = list(_cut_resources(statement, characters_max))
    if len(pieces) == 1:
        yield statement
        return
    for number, resources in enumerate(pieces, 1):
        yield replace(statement, sid=f"{statement.sid}{number}", resources=resources)


def _cut_resources(statement: Statement, characters_max: int) -> Iterator[tuple[str, ...]]:
    kept: tuple[str, ...] = ()
    for resource in statement.resources:
        longer = (*kept, resource)
        numbered = replace(statement, sid=f"{statement.sid}0000", resources=longer)
        if kept and count_characters(_document([numbered.as_json()])) > characters_max:
            yield kept
            longer = (resource,)
        kept = longer
    yield kept


def _fits(document: Mapping[str, Any], found: Mapping[str, Any], characters_max: int) -> bool:
    return count_characters(_document([*document["Statement"], found])) <= characters_max


def _document(statements: list[Any]) -> dict[str, Any]:
    return {"Version": VERSION, "Statement": statements}


def _one_or_list(values: Sequence[str]) -> str | list[str]:
    return values[0] if len(values) == 1 else list(values)
