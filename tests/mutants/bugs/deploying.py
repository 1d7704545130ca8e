"""Planted bugs: what ./deploy accepts, and what it deletes."""

from __future__ import annotations

from tests.mutants.planting import Mutant, Section, in_symbol

STACK = "tests/unit/deployment/test_stack.py"
CHECKS = "tests/unit/deployment/test_checks.py"

DEPLOYING = Section(
    "Deploying",
    (
        Mutant(
            "any-owner-will-do",
            "a stack is deployed for buckets of another account",
            in_symbol("deployment.checks:_check_bucket", ("owner=owner", "")),
            proof=f"{CHECKS}::test_a_bucket_of_another_account_is_refused",
        ),
        Mutant(
            "dry-run-deletes-what-was-there",
            "a dry run deletes a stack that someone else has under review",
            in_symbol("deployment.stack:remove_open", ("not before.status", "True")),
            proof=f"{STACK}::test_an_existing_stack_is_never_deleted",
        ),
        Mutant(
            "stopping-deletes",
            "interrupting the wait for a first deployment deletes the stack",
            in_symbol(
                "deployment.stack:remove_open",
                ("read_stack(cloudformation, name).status == IN_REVIEW", "True"),
            ),
            proof=f"{STACK}::test_a_stack_in_creation_is_never_deleted",
        ),
    ),
)
