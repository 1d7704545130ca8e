"""The tree of errors."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from log_aggregator import errors

INTERNAL = {"Interrupted"}


def draw(kind: type[errors.LogAggregatorError], depth: int = 0) -> Iterator[tuple[int, str]]:
    yield depth, kind.__name__
    for child in kind.__subclasses__():
        if child.__module__ == errors.__name__:
            if kind is errors.RequestFailed and issubclass(child, errors.GroupFailed):
                yield depth + 1, child.__name__  # drawn whole in the other branch
            else:
                yield from draw(child, depth + 1)


def drawn() -> Iterator[tuple[int, str]]:
    for line in (errors.__doc__ or "").splitlines():
        found = re.match(r"    (?P<branch>[│├└── ]*)(?P<name>[A-Z][A-Za-z]+)(?:\s{2,}.*)?$", line)
        if found:
            yield len(found["branch"]) // 4, found["name"]


def test_the_drawing_shows_the_tree() -> None:
    """The tree at the top of errors.py names every class, under its base."""
    tree = [each for each in draw(errors.LogAggregatorError) if each[1] not in INTERNAL]
    assert sorted(drawn()) == sorted(tree)


def exit_codes() -> Iterator[tuple[type[errors.LogAggregatorError], int]]:
    yield errors.SettingsError, 2
    yield errors.CannotStart, 3
    yield errors.LimitExceeded, 3
    yield errors.Interrupted, 130
    kinds: list[type[errors.LogAggregatorError]] = [errors.GroupFailed, errors.Unreachable]
    kinds += [
        *errors.GroupFailed.__subclasses__(),
        *errors.StoreError.__subclasses__(),
        *errors.Unsound.__subclasses__(),
    ]
    for kind in kinds:
        yield kind, 1


def test_a_silent_s3_is_not_a_failure_of_a_group() -> None:
    """Code that catches errors of a group, a pack or an original never catches an unanswered
    request; a refusal is no evidence against stored data.
    """
    assert not issubclass(errors.Unreachable, errors.GroupFailed)
    kinds: list[type[Exception]] = [errors.Unreachable, errors.StoreError]
    for kind in [*kinds, *errors.StoreError.__subclasses__()]:
        assert not issubclass(kind, errors.Unsound)
    assert {errors.BadPack, errors.VerificationError} == set(errors.Unsound.__subclasses__())


@pytest.mark.parametrize(("kind", "code"), list(exit_codes()))
def test_every_class_has_an_exit_code_and_advice(
    kind: type[errors.LogAggregatorError], code: int
) -> None:
    """Every class says what the caller must do, by exit code, name for a state machine, and in
    words.
    """
    error = kind("what happened")
    assert (error.exit_code, error.state_name, str(error)) == (code, kind.__name__, "what happened")
    assert kind.advice.endswith(".")


def test_store_errors_carry_the_code() -> None:
    """S3's own code and the operation stay with the error."""
    error = errors.AccessDenied("no", code="AccessDenied", operation="GetObject")
    assert (error.code, error.operation) == ("AccessDenied", "GetObject")
