"""KMS keys: may the program use them? A key's own policy cannot be simulated, so a finding says
where that policy decides.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from log_aggregator.errors import NotFound, RequestFailed
from log_aggregator.ports.account import AccountInspector, Caller, KmsKey
from log_aggregator.steps.doctor.findings import Notebook, advise
from log_aggregator.steps.doctor.permissions import (
    DOCUMENTS,
    USE_SOURCE_KEY,
    USE_TARGET_KEY,
    Simulation,
    write_verdict,
)

AWS_KEY = re.compile(r"(^|:)alias/aws/")


@dataclass(frozen=True, slots=True)
class KeyUse:
    """A key, the place that it encrypts (s3://bucket), and whether packs are written with it."""

    key_id: str
    where: str
    writes: bool

    @property
    def actions(self) -> tuple[str, ...]:
        return USE_TARGET_KEY if self.writes else USE_SOURCE_KEY


def examine_key(
    inspector: AccountInspector,
    notebook: Notebook,
    simulation: Simulation,
    caller: Caller | None,
    use: KeyUse,
) -> None:
    """A key of S3's own (aws/s3) needs no permission within its account; all others are simulated
    on the caller's side.
    """
    if AWS_KEY.search(use.key_id):
        notebook.ok(
            use.where,
            "kms",
            f"{use.key_id}: AWS's own key, which needs no permission within this account",
        )
        return
    key = _describe(inspector, notebook, use)
    if key is None:
        return
    if key.manager == "AWS":
        notebook.ok(
            use.where,
            "kms",
            f"{key.arn}: AWS's own key, which needs no permission within this account",
        )
        return
    if key.state != "Enabled":
        seen = f"the key {key.arn} is {key.state}: nothing that it encrypts can be read or written"
        notebook.problem(
            use.where,
            "kms",
            seen,
            "Enable the key, or cancel its deletion, in the account that has it.",
        )
        return
    verdict = simulation.examine(use.actions, key.arn)
    advice = f"See {DOCUMENTS}; the key's policy must allow it too."
    write_verdict(notebook, use.where, "kms", f"key {key.arn}", [verdict], advice=advice)
    if caller is not None and key.account and key.account != caller.account:
        _explain_other_account(notebook, use, key, simulation)


def _describe(inspector: AccountInspector, notebook: Notebook, use: KeyUse) -> KmsKey | None:
    """If DescribeKey is denied, the ARN still tells the account and the key."""
    try:
        return inspector.describe_key(use.key_id)
    except NotFound as error:
        notebook.problem(
            use.where,
            "kms",
            f"the key {use.key_id} does not exist: {error}",
            "Correct the key in the bucket's default encryption, or in kms_key_id.",
        )
        return None
    except RequestFailed as error:
        notebook.warn(
            use.where,
            "kms",
            f"key {use.key_id} could not be checked: {error}",
            advise(error, "kms:DescribeKey"),
        )
        named = re.fullmatch(r"arn:[a-z-]+:kms:[a-z0-9-]+:(\d{12}):key/.+", use.key_id)
        return KmsKey(use.key_id, named[1]) if named else None


def _explain_other_account(
    notebook: Notebook, use: KeyUse, key: KmsKey, simulation: Simulation
) -> None:
    """Both the key's policy and the caller's must allow it:
    https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-modifying-external-accounts.html.

    Control Tower's key lies in the management account
    (https://docs.aws.amazon.com/controltower/latest/userguide/configure-kms-keys.html).
    """
    who = (
        ", ".join(f'"{principal}"' for principal in simulation.principals)
        or '"<ARN of the role that runs the program>"'
    )
    actions = ", ".join(f'"{action}"' for action in use.actions)
    seen = (
        f"the key {key.arn} belongs to account {key.account}: its policy must allow access too, "
        "and cannot be read from this account"
    )
    advice = (
        f"Have an administrator of account {key.account} (for Control Tower's keys, the "
        "management account) add to the key's policy:"
        f' {{"Effect": "Allow", "Principal": {{"AWS": [{who}]}}, "Action": [{actions}], '
        f'"Resource": "*"}}'
    )
    notebook.warn(use.where, "kms-policy", seen, advice)
