"""Findings, and the notebook that the checks write them into."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeVar

from log_aggregator.errors import AccessDenied, RequestFailed

T = TypeVar("T")


class Level(StrEnum):
    """How serious a finding is, best first. Only a problem makes `doctor` fail."""

    OK = "ok"
    NOTE = "note"  # good to know
    WARNING = "warning"  # works, but not well; or could not be checked
    PROBLEM = "problem"  # a run would fail, or not do its work

    @property
    def rank(self) -> int:
        return list(Level).index(self)


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check. `where` is "account" or a bucket as s3://name; `check` is a short
    name that never changes, for scripts.
    """

    level: Level
    where: str
    check: str
    seen: str
    advice: str = ""

    def __post_init__(self) -> None:
        if self.level is not Level.OK and not self.advice:
            raise ValueError(f"{self.where}, {self.check}: a finding that is not ok needs advice")


@dataclass(slots=True)
class Notebook:
    """The findings, in the order in which they were made."""

    findings: list[Finding] = field(default_factory=list)

    def ok(self, where: str, check: str, seen: str) -> None:
        self.findings.append(Finding(Level.OK, where, check, seen, ""))

    def note(self, where: str, check: str, seen: str, advice: str) -> None:
        self.findings.append(Finding(Level.NOTE, where, check, seen, advice))

    def warn(self, where: str, check: str, seen: str, advice: str) -> None:
        self.findings.append(Finding(Level.WARNING, where, check, seen, advice))

    def problem(self, where: str, check: str, seen: str, advice: str) -> None:
        self.findings.append(Finding(Level.PROBLEM, where, check, seen, advice))

    def findings_of(self, check: str) -> list[Finding]:
        return [finding for finding in self.findings if finding.check == check]

    def ask(self, where: str, check: str, action: str, request: Callable[[], T]) -> T | None:
        """The answer; or None, plus a finding that this could not be checked. `action` is the IAM
        action that the request needs.
        """
        try:
            return request()
        except RequestFailed as error:
            self.warn(where, check, f"could not be checked: {error}", advise(error, action))
            return None


OUT_OF_ORDER = "InvalidListing"
"""Our own error code: the server lists keys in an order that no run can rely on."""


def advise(error: RequestFailed, action: str) -> str:
    """What to do about a question that got no answer."""
    if isinstance(error, AccessDenied):
        return f"Grant {action} to the caller, and try again."
    if error.remedy:
        return error.remedy
    if error.code == OUT_OF_ORDER:  # the request was allowed and answered
        return "Run `log-aggregator rehearse`: it shows what this server does differently from S3."
    return f"This server does not support it; on AWS it needs {action}."
