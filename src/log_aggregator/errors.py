"""Every error that this package raises, grouped by what the caller must do about it.

    LogAggregatorError
    ├── SettingsError          correct the settings; nothing was touched                    exit 2
    ├── CannotStart            ask a person: bucket, permission, network; nothing touched   exit 3
    │   ├── BadConfiguration   correct the AWS setting that the text names
    │   ├── BadInventory       give another S3 Inventory, or run without one
    │   └── NotInstalled       install the package that the text names
    ├── LimitExceeded          raise the limit or narrow the run; nothing was touched       exit 3
    ├── NoSuchOriginal         check the key: no pack has it                                exit 1
    ├── NothingFound           look elsewhere: nothing of what was asked for is there        exit 1
    ├── NotAllSearched         nothing was found, but not everything was looked at           exit 4
    ├── IncompleteSearch       rebuild the named indexes: all others were searched          exit 1
    ├── BadTerms               make the terms again: packs are not affected                   exit 1
    ├── OutputFailed           free space, or write elsewhere: finished files are whole     exit 1
    ├── OutOfTime              a function's time is nearly over; call it again to continue
    ├── OutOfMemory            a function has too little memory; give it more
    ├── Unexpected             a bug in this program: report the place that the text names
    ├── RunFailed              look at the list: what failed was kept, all else is done       exit 1
    ├── SourceChanged          plan again without these objects; the next run takes them
    ├── RequestFailed          a request failed; its result is not known                      exit 1
    │   ├── Unreachable        S3 did not answer: look at the network
    │   │   └── OutcomeUnknown   a deletion got no answer; the next run checks what is left
    │   ├── NotAuthenticated   renew the credentials: AWS no longer accepts them
    │   │   └── WrongClock     set this machine's clock
    │   └── StoreError         (below)
    └── GroupFailed            stop this group, keep its originals, continue with the rest  exit 1
        ├── StoreError         S3 refused the request, after all retries
        │   ├── AccessDenied   grant the permission
        │   ├── WrongSignature   check the secret access key; if only some keys fail, the proxy
        │   ├── NotFound       the object, version or upload is not there
        │   ├── NoSuchBucket   check the bucket's name: this is no evidence about any object
        │   ├── PreconditionFailed   another writer was there first
        │   ├── ObjectFrozen   thaw it first: it is in an archive class
        │   └── ObjectRefused  look at this object: the others are not affected
        ├── UnreadableSources  look at the named objects; all others can be packed
        ├── KeyTaken           put it elsewhere: its key holds another object
        ├── ConditionsIgnored  keep the originals: this server would delete the wrong ones
        ├── OtherBytes         look at the named originals: they are not what was packed
        ├── NoLines            take it as it is: the original is not text
        ├── Unsound            what is stored is not what it should be: evidence
        │   ├── VerificationError  look at the pack: it is not what was written
        │   └── BadPack        the pack or its index cannot be read as this format
        │       └── NewerFormat  install a newer release: this one does not know the format
        └── RetainedObjects    S3 keeps what was to be deleted: Object Lock, a policy, MFA delete

Two questions have a branch each, so that callers need no exceptions to the rule.
Does the error concern one group or pack? Catch GroupFailed. Unreachable concerns none in particular
and passes. NotAuthenticated ends everything, because every other request would fail as well.
Is it evidence against what is stored? Catch Unsound and NotFound. Refusals are not evidence, and
neither is NoSuchBucket.
Where it only matters that a request failed, catch RequestFailed.

`exit_code` is the exit code of the command line, `state_name` the error name that a state machine
sees. An error's text never holds the contents of a log.
"""

from __future__ import annotations

import contextlib
import traceback
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import ClassVar, Self

from log_aggregator.escapes import escape


class LogAggregatorError(Exception):
    """Base of everything that this package raises on purpose.

    Its text quotes input, so it is escaped here. `lines` are further lines of the text; line breaks
    within `message` are escaped.
    """

    exit_code: ClassVar[int] = 1
    advice: str = ""

    def __init__(self, message: str = "", *, lines: Iterable[str] = ()) -> None:
        super().__init__("\n".join(map(escape, [message, *lines])))

    @property
    def state_name(self) -> str:
        return type(self).__name__


class SettingsError(LogAggregatorError):
    """A setting is wrong. The text names the setting, the value, and what is allowed."""

    exit_code = 2
    advice = "Correct the setting and start again; nothing was touched."


class CannotStart(LogAggregatorError):
    """The run cannot begin: a bucket, a permission, the network or the credentials are missing."""

    exit_code = 3
    advice = "Nothing was touched. Check bucket names, credentials, region and permissions."

    @classmethod
    def because(cls, error: RequestFailed, what: str = "") -> CannotStart:
        """From a request that failed before anything was touched. The advice is that request's
        remedy alone.
        """
        first, *more = str(error).split("\n")
        return cls(f"{what}: {first}" if what else first, lines=more).with_remedy(error.remedy)

    def with_remedy(self, remedy: str) -> Self:
        """With this advice instead, unless it is empty."""
        if remedy:
            self.advice = f"Nothing was touched. {remedy}"
        return self


class BadConfiguration(CannotStart):
    """Part of the AWS configuration cannot be used: an endpoint, a Region, a profile, a source of
    credentials, a CA bundle, a proxy. The text names the setting.
    """

    advice = "Nothing was touched. Correct what the message names, and start again."


class BadInventory(CannotStart):
    """An S3 Inventory is incomplete, is of another bucket, or lacks a field that is needed for
    every object.
    """

    advice = (
        "Nothing was touched. Name another inventory, or run without one, which lists the buckets."
    )


class NotInstalled(CannotStart):
    """An optional package is not installed."""

    advice = "Nothing was touched. Install it and start again."

    @classmethod
    def of(cls, what: str, extra: str) -> NotInstalled:
        """Names what is missing, and the extra of our package that installs it."""
        return cls(f"{what} is not installed: pip install 'control-tower-log-aggregator[{extra}]'")


class LimitExceeded(LogAggregatorError):
    """The limits allow less than the run would touch, so nothing was touched."""

    exit_code = 3
    advice = "Nothing was touched. Raise the limit, or run fewer dates or buckets at a time."


class NoSuchOriginal(LogAggregatorError):
    """No pack holds a log object with this key (and version)."""

    advice = (
        "Check key, bucket and dates, character by character. It may also still be where it was "
        "delivered, and not packed yet."
    )


class NothingFound(LogAggregatorError):
    """Nothing that was asked for is there."""

    advice = "Check the name, and the bucket that packs go to; `--config` names the settings file."


class NotAllSearched(LogAggregatorError):
    """Nothing was found, but the search could not look at everything, so it may be there all the
    same. The text says how much was not looked at, and why.
    """

    exit_code = 4
    advice = (
        "`log-aggregator index terms` makes terms for readable packs that have none. Extract what "
        "stays unsearched, and search it by other means."
    )


class IncompleteSearch(LogAggregatorError):
    """Some indexes are damaged or missing, so members of their packs may be missing from the
    result.
    """

    advice = (
        "Everything else was found. `log-aggregator index rebuild` makes a lost index again; "
        "remove a damaged one first."
    )


class BadTerms(LogAggregatorError):
    """The terms of a pack do not follow their format. Only searching depends on terms, so this is
    no evidence against the pack, and not Unsound.
    """

    advice = (
        "No pack is affected. `log-aggregator index terms` makes the terms again; see "
        "docs/internals/terms-format.md."
    )


class OutputFailed(LogAggregatorError):
    """Output cannot be written: no space, no permission, or its reader is gone."""

    advice = (
        "Free some space, or write elsewhere, and start again. Every file that has its final name "
        "is whole and was checked."
    )


class OutOfTime(LogAggregatorError):
    """A Lambda function's time is nearly over. Uploads were aborted; finished packs stay, and are
    found again.
    """

    advice = (
        "The state machine calls the function again, which resumes where it stopped. If that does "
        "not help, run fewer dates or buckets at a time."
    )


class OutOfMemory(LogAggregatorError):
    """A Lambda function ran out of memory. It is called again, in a new process; the text names
    the place where the memory ran out.
    """

    advice = (
        "Nothing was deleted that is not in a verified pack, and the next run tries again. If that "
        "does not help, give the function more memory: CombineMemorySize for the combine function, "
        "MemorySize in template.yaml for any other."
    )


class Unexpected(LogAggregatorError):
    """A bug in this program. The text names the kind of exception and where it was raised. The
    exception's own text is left out, because it may quote a log.
    """

    advice = (
        "Nothing was deleted that is not in a verified pack. Report it, with the place that the "
        "message names; the function's log shows what led there."
    )


class RunFailed(LogAggregatorError):
    """The end of a run in which something failed. The text begins with the number of failures, and
    holds the first of them.
    """

    advice = (
        "Nothing was deleted that is not in a verified pack; the next run tries again what failed. "
        "The whole list is in the run's result."
    )


class GroupFailed(LogAggregatorError):
    """A group could not be finished. Its originals are where they were."""

    advice = "Nothing was deleted because of it. The same command, or the next run, tries it again."


class RequestFailed(LogAggregatorError):
    """A request to AWS failed, after all retries. `code` is AWS's own error code."""

    remedy: ClassVar[str] = ""
    """What to do about it, whether or not anything was touched before."""
    advice = "Nothing was deleted because of it. The same command, or the next run, tries it again."

    def __init__(self, message: str, *, code: str = "", operation: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.operation = operation


class Unreachable(RequestFailed):
    """S3 did not answer, after all retries. This is no evidence about any object."""

    remedy = "Check the network and the endpoint, and start the same command again."
    advice = f"{remedy} Nothing was deleted because of it."


class OutcomeUnknown(Unreachable):
    """Originals of a verified pack were to be deleted, and S3 did not say which of them are still
    there.
    """

    advice = (
        "All of them are in a verified pack. Start the same command again: it checks which of them "
        "are still there, and continues."
    )


class NotAuthenticated(RequestFailed):
    """AWS does not accept the credentials: they have expired and cannot be renewed, or are not
    known. This is no evidence about any object, and every other request would fail the same way.
    """

    remedy = "Renew the credentials (log in again), and start the same command again."
    advice = (
        "Renew the credentials (log in again), and start the same command again: it resumes where "
        "this one stopped. Nothing was deleted because of it."
    )


class WrongClock(NotAuthenticated):
    """AWS refuses requests whose time is more than 15 minutes off its own."""

    remedy = "Set the clock of this machine, and start the same command again."
    advice = f"{remedy} Nothing was deleted because of it."


class StoreError(RequestFailed, GroupFailed):
    """S3 refused a request, after all retries. `code` is S3's own error code."""

    advice = GroupFailed.advice


class AccessDenied(StoreError):
    """S3 or KMS does not allow the request."""

    remedy = "Grant the permission that the message names."
    advice = f"{remedy} Nothing was deleted because of it."


class WrongSignature(StoreError):
    """S3 computed a signature that differs from the request's. If every request fails like this,
    the secret access key is wrong. If only some keys do, a proxy or the server encodes them
    differently.
    """

    remedy = (
        "Check the secret access key: it does not belong to the access key. If only some keys are "
        "refused, check the proxy or the server in between."
    )
    advice = f"{remedy} Nothing was deleted because of it."


class NotFound(StoreError):
    """The object, version or upload is not there."""

    advice = "Check the name, and whether it should be there. Nothing was deleted because of it."


class NoSuchBucket(StoreError):
    """There is no bucket of this name. This is no evidence about the objects it should hold."""

    remedy = "Check the bucket's name."
    advice = f"{remedy} Nothing was deleted because of it."


class PreconditionFailed(StoreError):
    """The condition of a request did not hold: another writer was there first."""


class ObjectFrozen(StoreError):
    """The object is in an archive class and must be thawed before it can be read."""

    advice = (
        "Thaw it (`log-aggregator thaw`, or S3's RestoreObject), and try again. For an archive "
        "tier of Intelligent-Tiering, `thaw` says how."
    )


class ObjectRefused(StoreError):
    """S3 refuses to return this one object (SSE-C, a KMS key that is pending deletion), or its
    answer cannot be used (a bad header, a truncated body). Other objects are not affected.
    """

    advice = "Look at the named object and at S3's answer. Nothing was deleted because of it."


class UnreadableSources(GroupFailed):
    """Some log objects cannot be read. They were left where they are, and the rest of their group
    was packed.
    """

    advice = "Look at the named objects: permission, encryption, headers, body. They were kept."


class KeyTaken(GroupFailed):
    """The key that an original was to be put back under holds another object, which was left as it
    is.
    """

    advice = (
        "Nothing was overwritten. Look at what is there, or put the original elsewhere: "
        "--to-bucket, --prefix."
    )


class ConditionsIgnored(GroupFailed):
    """The server ignores the conditions of requests, or could not be shown to obey them, so nothing
    is deleted by ETag.
    """

    advice = (
        "All is packed, and the originals were kept. Enable versioning on the source bucket, so "
        "that originals are deleted by version id, or use a server that obeys conditions. If a "
        "permission is missing, grant it for probes/."
    )


class OtherBytes(GroupFailed):
    """Originals look as if they were packed before, but their bytes are not what was packed. They
    were kept.
    """

    advice = (
        "Look at the named originals: they have the key, time, size and ETag of a member of a "
        "pack, but other bytes. They were kept, and are not packed. To have them packed, copy them "
        "to other keys."
    )


class NoLines(GroupFailed):
    """The original is neither text nor gzipped text, so it has no lines."""

    advice = "Extract it without --lines: it comes back byte for byte."


class Unsound(GroupFailed):
    """What is stored is not what it should be. This is evidence against a pack or its index."""

    advice = "Nothing was deleted. Look at what the message names."


class VerificationError(Unsound):
    """What S3 stores is not what was written, or could not be shown to be. Nothing is deleted."""

    advice = "Nothing was deleted. Look at the named pack."


class BadPack(Unsound):
    """The pack or its index does not follow the pack format."""

    advice = "Nothing was deleted. Look at the named pack; see docs/internals/pack-format.md."


class NewerFormat(BadPack):
    """A newer release wrote it, in a version of its format that this release does not know. It is
    not a sign of damage.
    """

    advice = (
        "Nothing was deleted. Install the newer release, or a later one, wherever this program "
        "runs; see docs/reference/compatibility.md."
    )


class RetainedObjects(GroupFailed):
    """S3 refused to delete originals: Object Lock, legal hold, MFA delete or a policy. They are
    packed all the same.
    """

    advice = (
        "The originals are packed and verified, but S3 refused to delete them. Check Object Lock, "
        "MFA delete and policies."
    )


class SourceChanged(LogAggregatorError):
    """Objects changed or vanished between listing and reading. Plan again without them; the next
    run takes them.
    """


class Interrupted(LogAggregatorError):
    """The user stopped the run. Uploads were aborted, originals of unfinished groups kept."""

    exit_code = 130
    advice = (
        "What was finished stays, and nothing is half done. Start the same command again to "
        "continue."
    )


@dataclass(frozen=True, slots=True)
class Failure:
    """Something that could not be done, and what to do about it."""

    where: str
    error: str
    message: str
    advice: str

    @classmethod
    def of(cls, where: str, error: LogAggregatorError, advice: str | None = None) -> Failure:
        """With the error's own advice, unless the caller has a better one."""
        return cls(where, error.state_name, str(error), error.advice if advice is None else advice)


_PACKAGE = __file__.removesuffix("errors.py")
"""As text: the core imports this module, and must not touch the file system."""


def name_place(error: BaseException) -> str:
    """`KeyError at log_aggregator/core/lines.py:12 in split`: the innermost line of this package in
    the traceback. The exception's own text is left out, because it may quote a log.
    """
    name = type(error).__name__
    for frame, line in reversed(list(traceback.walk_tb(error.__traceback__))):
        path = frame.f_code.co_filename
        if path.startswith(_PACKAGE):
            where = path.removeprefix(_PACKAGE)
            return f"{name} at log_aggregator/{where}:{line} in {frame.f_code.co_name}"
    return f"{name} outside of this program"


@contextlib.contextmanager
def cannot_start(what: str) -> Iterator[None]:
    """Turns a failed request into CannotStart. A run does nothing without its listing."""
    try:
        yield
    except RequestFailed as error:
        raise CannotStart.because(error, what) from error
