"""What each stage of the work may do, and where: IAM policies for the buckets of the settings.

The rows of `GRANTS` join the actions of `permissions` with places. Tests compare them with the
calls that the code makes: every call is allowed, and nothing is allowed that no call needs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import partial

from log_aggregator.core.policies import Statement
from log_aggregator.errors import SettingsError
from log_aggregator.model import AT_REST, BACKFILLS, DRILLS, OWN_FOLDERS, Target
from log_aggregator.ports.account import AccountInspector, BucketVersioning
from log_aggregator.steps.doctor.buckets import locate
from log_aggregator.steps.doctor.findings import Notebook
from log_aggregator.steps.doctor.permissions import (
    ABORT,
    ASK_FOR_HASHES,
    ASK_FOR_PUBLIC_KEYS,
    DELETE_ANY,
    DELETE_UNVERSIONED,
    DELETE_VERSIONS,
    FIND_BUCKETS,
    LIST_RECORDS,
    LIST_SOURCE,
    LIST_UPLOADS,
    LOOK_AT_ACCESS,
    LOOK_AT_ACCOUNT,
    LOOK_AT_CONFIGURATION,
    LOOK_AT_SOURCE,
    LOOK_AT_TARGET,
    PASS_ROLE,
    READ_LIFECYCLE,
    READ_SOURCE,
    READ_TARGET,
    SIGN,
    THAW,
    USE_SOURCE_KEY,
    USE_TARGET_KEY,
    WRITE_AGAIN,
    WRITE_ONCE,
)
from log_aggregator.steps.rules import RunRules

OWN_ACCOUNT = "${aws:PrincipalAccount}"
"""IAM replaces it with the caller's account
(https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html)."""


class Stage(StrEnum):
    """Kinds of work. Each needs permissions that the others do not."""

    SURVEY = "survey"
    PACK = "pack"
    DELETE = "delete"
    READ = "read"
    SEARCH = "search"
    DRILL = "drill"
    PROVE = "prove"
    HASH = "hash"


class Place(StrEnum):
    """Where an action is allowed. `scope.find` knows the resources of each."""

    ACCOUNT = "the account"
    FOUND_BUCKETS = "all buckets, where other_buckets has a name that ends in *"
    FOUND_TARGETS = "the same, where each of them keeps its own packs"
    TRAILS = "CloudTrail, where there is a main bucket"
    SOURCES = "buckets that logs are taken from"
    LOGS = "objects in them"
    VERSIONED_LOGS = "the same, where there may be versions"
    UNVERSIONED_LOGS = "the same, where there may be none"
    TARGETS = "buckets that packs are in"
    PACKS = "packs"
    INDEXES = "indexes"
    TERMS = 'terms of packs, unless search = "off"'
    TABLES = 'tables of terms, unless search = "off"'
    CUSTODY = "custody records"
    SIGNATURES = "signatures of custody records"
    NEW_SIGNATURES = "the same, where sign_with is set"
    SIGNING_KEYS = "the KMS key of sign_with"
    KEYS = "CloudTrail's public keys, where there is a main bucket"
    LEDGERS = "ledgers of backfills"
    DRILLS = "samples of drills"
    DISCARDS = 'lists of what is discarded, with other_regions = "delete"'
    ADOPTED = "indexes of what other tools made"
    CHECKS = "checks of packs at rest"
    ROLES = "the role that hashes packs, where it is named"
    PROBES = "probes of S3's conditional deletes"
    SOURCE_KEYS = "KMS keys of sources"
    TARGET_KEYS = "KMS keys of targets"
    SEARCH_KEYS = 'KMS keys of terms and tables, unless search = "off"'
    KEYS_OF_TERMS = "the same, or without one those of targets"


_SEARCHED = (Place.TERMS, Place.TABLES, Place.SEARCH_KEYS, Place.KEYS_OF_TERMS)
_FOLDERS = {
    Place.PACKS: "packs/",
    Place.INDEXES: "indexes/",
    Place.TERMS: "terms/",
    Place.TABLES: "tables/",
    Place.CUSTODY: "custody/",
    Place.SIGNATURES: "signatures/",
    Place.NEW_SIGNATURES: "signatures/",
    Place.KEYS: "keys/",
    Place.LEDGERS: BACKFILLS,
    Place.DRILLS: DRILLS,
    Place.DISCARDS: "discards/",
    Place.ADOPTED: "adopted/",
    Place.CHECKS: AT_REST,
}


@dataclass(frozen=True, slots=True)
class Grant:
    """A row: who needs which actions at which places."""

    sid: str
    stages: frozenset[Stage]
    actions: tuple[str, ...]
    places: tuple[Place, ...]


def _row(sid: str, stages: Iterable[Stage], actions: tuple[str, ...], *places: Place) -> Grant:
    return Grant(sid, frozenset(stages), actions, places)


_RUNS = (Stage.SURVEY, Stage.PACK, Stage.DELETE)
_CHANGES = (Stage.PACK, Stage.DELETE)
_READING = (Stage.READ, Stage.SEARCH, Stage.DRILL)
_LOOKING = (*_READING, Stage.PROVE)
"""Terms reveal the contents of packs, so permission to read packs does not include searching. Nor
does permission to search include reading packs: a search then names packs, but no events.
"""

GRANTS = (
    _row("ListSources", _RUNS, LIST_SOURCE, Place.SOURCES),
    _row("FindBuckets", _RUNS, FIND_BUCKETS, Place.FOUND_BUCKETS),
    _row("FindTargets", _LOOKING, FIND_BUCKETS, Place.FOUND_TARGETS),
    _row("LookAtTargets", _RUNS, LOOK_AT_TARGET, Place.TARGETS),
    _row("LookAtPacks", _LOOKING, LOOK_AT_TARGET[:1], Place.TARGETS),
    _row("ListUploads", _CHANGES, LIST_UPLOADS, Place.TARGETS),
    _row("ListRecords", (Stage.READ,), LIST_RECORDS, Place.TARGETS),
    _row(
        "LookAtConfiguration",
        (Stage.SURVEY,),
        LOOK_AT_CONFIGURATION,
        Place.SOURCES,
        Place.TARGETS,
    ),
    _row("LookAtOwnership", (Stage.SURVEY,), LOOK_AT_SOURCE, Place.SOURCES),
    _row("LookAtAccess", (Stage.SURVEY,), LOOK_AT_ACCESS, Place.TARGETS),
    _row("LookAtAccount", (Stage.SURVEY,), LOOK_AT_ACCOUNT, Place.ACCOUNT),
    _row("ReadSources", _CHANGES, READ_SOURCE, Place.LOGS),
    _row("DecryptSources", _CHANGES, USE_SOURCE_KEY, Place.SOURCE_KEYS),
    _row("ReadIndexes", (Stage.SURVEY,), READ_TARGET, Place.INDEXES),
    _row("WritePacks", (Stage.PACK,), (*WRITE_ONCE, *ABORT), Place.PACKS),
    _row("WriteIndexes", (Stage.PACK,), WRITE_ONCE, Place.INDEXES),
    _row("WriteTerms", (Stage.PACK,), (*WRITE_AGAIN, *READ_TARGET), Place.TERMS),
    _row("WriteTables", (Stage.PACK,), WRITE_ONCE, Place.TABLES),
    _row("WriteRecords", _CHANGES, WRITE_ONCE, Place.CUSTODY, Place.KEYS),
    _row("SignRecords", _CHANGES, WRITE_ONCE, Place.NEW_SIGNATURES),
    _row("UseSigningKey", _CHANGES, SIGN, Place.SIGNING_KEYS),
    _row("ReadLifecycle", (Stage.PACK,), READ_LIFECYCLE, Place.SOURCES),
    _row("WriteLedgers", (Stage.PACK,), WRITE_ONCE, Place.LEDGERS),
    _row("AskForPublicKeys", (*_CHANGES, Stage.READ), ASK_FOR_PUBLIC_KEYS, Place.TRAILS),
    _row("VerifyPacks", (Stage.DELETE,), READ_TARGET, Place.PACKS, Place.INDEXES),
    _row("ListDiscards", (Stage.DELETE,), WRITE_ONCE, Place.DISCARDS),
    _row("DeleteVersions", (Stage.DELETE,), DELETE_VERSIONS, Place.VERSIONED_LOGS),
    _row("DeleteUnversioned", (Stage.DELETE,), DELETE_UNVERSIONED, Place.UNVERSIONED_LOGS),
    _row(
        "AskWhetherConditionsHold",
        (Stage.DELETE,),
        (*WRITE_ONCE, *DELETE_UNVERSIONED),
        Place.PROBES,
    ),
    _row(
        "ReadPacks",
        (Stage.READ,),
        READ_TARGET,
        Place.PACKS,
        Place.INDEXES,
        Place.CUSTODY,
        Place.SIGNATURES,
        Place.KEYS,
        Place.ADOPTED,
        Place.LEDGERS,
    ),
    _row("SearchTerms", (Stage.SEARCH,), READ_TARGET, Place.TERMS, Place.TABLES),
    _row("BringBack", (Stage.DRILL,), READ_TARGET, Place.PACKS, Place.INDEXES, Place.KEYS),
    _row("WriteDrills", (Stage.DRILL,), WRITE_ONCE, Place.DRILLS, Place.CUSTODY),
    _row("ThawPacks", (Stage.READ, Stage.DRILL), THAW, Place.PACKS),
    _row("ReadKnownHashes", (Stage.PROVE,), READ_TARGET, Place.PACKS, Place.INDEXES),
    _row("WriteChecks", (Stage.PROVE,), WRITE_ONCE, Place.CHECKS, Place.CUSTODY),
    _row("AskForHashes", (Stage.PROVE,), ASK_FOR_HASHES, Place.ACCOUNT),
    _row("PassRole", (Stage.PROVE,), PASS_ROLE, Place.ROLES),
    _row("HashPacks", (Stage.HASH,), READ_SOURCE, Place.PACKS, Place.CHECKS),
    _row("WriteReports", (Stage.HASH,), WRITE_AGAIN, Place.CHECKS),
    _row(
        "EncryptPacks",
        (*_CHANGES, Stage.DRILL, Stage.PROVE, Stage.HASH),
        USE_TARGET_KEY,
        Place.TARGET_KEYS,
    ),
    _row("DecryptPacks", (Stage.SURVEY, Stage.READ), USE_TARGET_KEY[1:], Place.TARGET_KEYS),
    _row("EncryptTerms", (Stage.PACK,), USE_TARGET_KEY, Place.SEARCH_KEYS),
    _row("DecryptTerms", (Stage.SEARCH,), USE_TARGET_KEY[1:], Place.KEYS_OF_TERMS),
)


@dataclass(frozen=True, slots=True)
class Scope:
    """What a policy covers: the buckets, the accounts that they belong to (as in
    `Settings.bucket_owners`), and KMS keys by their ARNs.
    """

    rules: RunRules
    accounts: tuple[tuple[str, str], ...] = ()
    partition: str = "aws"
    source_keys: tuple[str, ...] = ()
    target_keys: tuple[str, ...] = ()
    search_keys: tuple[str, ...] = ()
    """Keys of terms and tables. Without one these are encrypted as packs are."""
    roles: tuple[str, ...] = ()
    """ARNs of the role that S3 Batch Operations assumes."""
    versioned: frozenset[str] = frozenset()
    """Sources known to have versioning on: originals are deleted there by version id only."""
    unversioned: frozenset[str] = frozenset()
    """Sources known never to have had versions. Nothing is known about all others."""

    @property
    def maybe_unversioned(self) -> list[str]:
        return [name for name in self.sources if name not in self.versioned]

    @property
    def sources(self) -> tuple[str, ...]:
        """Bucket names, and patterns that end in *."""
        return tuple(dict.fromkeys((*self.rules.main_buckets, *self.rules.other_buckets)))

    @property
    def targets(self) -> list[Target]:
        if self.rules.destination_bucket is not None:
            return [Target(self.rules.destination_bucket)]
        return [self.rules.target(name) for name in self.sources]

    def find(self, place: Place) -> list[_Resource]:
        """The resources of a place; empty if these settings have no such place."""
        if not self._has(place):
            return []
        if place in _FOLDERS:
            return self._in_targets(
                [(target, f"{target.root}{_FOLDERS[place]}") for target in self.targets]
            )
        buckets = [target.bucket for target in self.targets]
        everything = [_Resource("*")]
        return {
            Place.ACCOUNT: everything,
            Place.FOUND_BUCKETS: everything,
            Place.FOUND_TARGETS: everything,
            Place.TRAILS: everything,
            Place.SOURCES: list(self._arns(self.sources)),
            Place.LOGS: list(self._arns(self.sources, "/*")),
            Place.VERSIONED_LOGS: list(
                self._arns((each for each in self.sources if each not in self.unversioned), "/*")
            ),
            Place.UNVERSIONED_LOGS: list(self._arns(self.maybe_unversioned, "/*")),
            Place.TARGETS: list(self._arns(buckets)),
            Place.PROBES: self._in_targets(
                [
                    (target, target.probes_prefix)
                    for target in dict.fromkeys(map(self.rules.target, self.maybe_unversioned))
                ]
            ),
            Place.SOURCE_KEYS: [_Resource(arn) for arn in self.source_keys],
            Place.TARGET_KEYS: [_Resource(arn) for arn in self.target_keys],
            Place.SEARCH_KEYS: [_Resource(arn) for arn in self.search_keys],
            Place.ROLES: [_Resource(arn) for arn in self.roles],
            Place.KEYS_OF_TERMS: [_Resource(arn) for arn in self.search_keys or self.target_keys],
            Place.SIGNING_KEYS: self._find_signing_keys(),
        }[place]

    def _has(self, place: Place) -> bool:
        has_beginnings = any(name.endswith("*") for name in self.sources)
        is_in_place = self.rules.destination_bucket is None
        return {
            Place.FOUND_BUCKETS: has_beginnings,
            Place.FOUND_TARGETS: has_beginnings and is_in_place,
            Place.TRAILS: bool(self.rules.main_buckets),
            Place.KEYS: bool(self.rules.main_buckets),
            Place.DISCARDS: self.rules.selection.discard_other_regions,
            Place.NEW_SIGNATURES: self.rules.sign_with is not None,
            **dict.fromkeys(_SEARCHED, self.rules.group.combine.terms is not None),
        }.get(place, True)

    def _find_signing_keys(self) -> list[_Resource]:
        """Empty for an alias, which no policy can name, and for a key in a file."""
        arn = self.rules.signing_key_arn
        return [_Resource(arn)] if arn is not None and is_key_arn(arn) else []

    def find_packs(self) -> list[_Resource]:
        """Everything that this program writes and never deletes."""
        return self._in_targets(
            [(target, target.root or folder) for target in self.targets for folder in OWN_FOLDERS]
        )

    def _in_targets(self, prefixes: Sequence[tuple[Target, str]]) -> list[_Resource]:
        found = [
            resource
            for target, prefix in prefixes
            for resource in self._arns([target.bucket], f"/{prefix}*")
        ]
        return list(dict.fromkeys(found))

    def _arns(self, names: Iterable[str], below: str = "") -> Iterator[_Resource]:
        for name in names:
            yield from (
                _Resource(f"arn:{self.partition}:s3:::{part}{below}", account)
                for part, account in self._owners_of(name)
            )

    def _owners_of(self, name: str) -> Iterator[tuple[str, str]]:
        """Pairs of a name and the account that its buckets must belong to. A pattern also yields
        the longer names of `bucket_accounts` that it covers.
        """
        fitting = [known for known in dict(self.accounts) if _covers(known, name)]
        longest = max(fitting, key=lambda known: (known == name, len(known)), default=None)
        yield name, dict(self.accounts)[longest] if longest is not None else OWN_ACCOUNT
        yield from (
            (known, account)
            for known, account in self.accounts
            if known != name and _covers(name, known)
        )


@dataclass(frozen=True, slots=True)
class _Resource:
    arn: str
    account: str = field(default="")


def plan_statements(scope: Scope, stages: Iterable[Stage]) -> list[Statement]:
    """What these stages together need, and nothing else.

    Deletion comes with a Deny on packs: the role may have other policies, and a pattern of source
    names may match the target too.
    """
    asked = frozenset(stages)
    statements = [
        statement
        for grant in GRANTS
        if grant.stages & asked
        for statement in _by_account(
            grant.sid,
            grant.actions,
            [found for place in grant.places for found in scope.find(place)],
        )
    ]
    if Stage.DELETE in asked:
        kept = tuple(resource.arn for resource in scope.find_packs())
        statements.append(Statement("NeverDeletePacks", DELETE_ANY, kept, is_denial=True))
    return statements


def look_at_buckets(scope: Scope, inspector: AccountInspector, notebook: Notebook) -> Scope:
    """The scope, narrowed by what S3 reports about buckets named in full: their versioning and
    their keys. What could not be read is noted in the notebook and granted.
    """
    named = [name for name in scope.sources if not name.endswith("*")]
    status = {
        name: found.status
        for name in named
        if (found := _ask_versioning(inspector, notebook, name)) is not None
    }
    targets = [target.bucket for target in scope.targets if not target.bucket.endswith("*")]
    return replace(
        scope,
        versioned=frozenset(name for name in status if status[name] == "Enabled"),
        unversioned=frozenset(name for name in status if status[name] is None),
        source_keys=_unite(scope.source_keys, _ask_keys(inspector, notebook, named)),
        target_keys=_unite(scope.target_keys, _ask_keys(inspector, notebook, targets)),
    )


def _ask_versioning(
    inspector: AccountInspector, notebook: Notebook, name: str
) -> BucketVersioning | None:
    return notebook.ask(
        locate(name),
        "versioning",
        "s3:GetBucketVersioning",
        lambda: inspector.get_bucket_versioning(name),
    )


def _ask_keys(
    inspector: AccountInspector, notebook: Notebook, names: Iterable[str]
) -> Iterator[str]:
    """Customer managed keys only: AWS managed keys need no permission."""
    for name in names:
        found = notebook.ask(
            locate(name),
            "encryption",
            "s3:GetEncryptionConfiguration",
            partial(inspector.get_bucket_encryption, name),
        )
        if found is not None and found.kms_key_id is not None and is_key_arn(found.kms_key_id):
            yield found.kms_key_id


def _unite(known: tuple[str, ...], found: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*known, *found)))


def check_keys(option: str, arns: Iterable[str]) -> None:
    """Raises SettingsError unless all are ARNs of keys. In an IAM policy an alias as a resource
    matches nothing (https://docs.aws.amazon.com/kms/latest/developerguide/cmks-in-iam-policies.html).
    """
    for arn in arns:
        if not is_key_arn(arn):
            raise SettingsError(
                f"{option} {arn!r}: expected the ARN of a key, such as "
                "arn:aws:kms:eu-west-1:111122223333:key/00000000-0000-0000-0000-000000000000"
            )


def is_key_arn(text: str) -> bool:
    """Whether it is the ARN of a key, and not of an alias."""
    head, _, name = text.partition(":key/")
    return head.startswith("arn:") and head.count(":") == 4 and bool(name) and "*" not in text


def _by_account(
    sid: str, actions: tuple[str, ...], resources: Sequence[_Resource]
) -> Iterator[Statement]:
    """A statement for each account that buckets belong to; the caller's own account comes first."""
    accounts = sorted(dict.fromkeys(found.account for found in resources), key=_own_first)
    for account in accounts:
        arns = dict.fromkeys(found.arn for found in resources if found.account == account)
        named = f"In{account}" if account.isdigit() else ""
        yield Statement(f"{sid}{named}", actions, tuple(arns), account)


def _own_first(account: str) -> tuple[bool, str]:
    return account.isdigit(), account


def _covers(known: str, name: str) -> bool:
    """Whether all buckets of `name` are buckets of `known`; either may end in *."""
    return known == name or (
        known.endswith("*") and name.removesuffix("*").startswith(known.removesuffix("*"))
    )
