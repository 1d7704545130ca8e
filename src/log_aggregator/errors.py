"""Everything that can go wrong, by what the caller must do about it.

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
    ├── BadTerms               make the terms anew: no pack is touched by it                  exit 1
    ├── OutputFailed           make room, or write elsewhere: what has its name is whole    exit 1
    ├── OutOfTime              a function's time is nearly over; call it again: it goes on
    ├── OutOfMemory            a function has too little memory; give it more
    ├── Unexpected             a mistake of this program: report the place that the text names
    ├── RunFailed              look at the list: what failed was kept, all else is done       exit 1
    ├── SourceChanged          plan anew without these objects; they are the next run's
    ├── RequestFailed          a request was not done; what it asked for is not known        exit 1
    │   ├── Unreachable        S3 gave no answer at all: look at the network
    │   │   └── OutcomeUnknown   a deletion was asked for; the next run looks what became of it
    │   ├── NotAuthenticated   renew the credentials: AWS takes them no more
    │   │   └── WrongClock     set this machine's clock
    │   └── StoreError         (below)
    └── GroupFailed            stop this group, keep its originals, go on with the others   exit 1
        ├── StoreError         S3 refused the request, after all retries
        │   ├── AccessDenied   grant the permission
        │   ├── WrongSignature   look at the secret access key; it may be one key's own, too
        │   ├── NotFound       the object, version or upload is not there
        │   ├── NoSuchBucket   look at the bucket's name: it says nothing of any object
        │   ├── PreconditionFailed   somebody else was there first
        │   ├── ObjectFrozen   thaw it first: it is in an archive class
        │   └── ObjectRefused  look at this one object: it says nothing of any other
        ├── UnreadableSources  look at the named objects; all others can be packed
        ├── KeyTaken           put it elsewhere: another object is there under its key
        ├── ConditionsIgnored  keep the originals: this server would delete the wrong ones
        ├── OtherBytes         look at the named originals: they are not what was packed
        ├── NoLines            take it as it is: the original is no text
        ├── Unsound            what is stored is not what it should be: evidence
        │   ├── VerificationError  look at the pack: it is not what was written
        │   └── BadPack        the pack or its index cannot be read as this format
        │       └── NewerFormat  install a newer release: this one does not know the format
        └── RetainedObjects    S3 keeps what was to be deleted: Object Lock, a policy, MFA delete

Two questions have a branch each, so that no caller has to remember an exception to them. Does it
say anything of this group or pack? Catch GroupFailed: Unreachable says nothing of any, and passes;
NotAuthenticated ends everything, because no other request would do better.
Is it evidence against what is stored? Catch Unsound, and NotFound; no refusal is, nor NoSuchBucket.
Where it only matters that the request was not done, catch RequestFailed.

`exit_code` is what the command line ends with, `state_name` the error name that a state machine
sees. No error's text ever holds contents of a log.
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

    Its text is made of what comes from outside, so it is escaped here. `lines` are further lines of
    it: no other line break is one.
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
    """The run cannot begin: a bucket is missing, a permission, the network, the credentials."""

    exit_code = 3
    advice = "Nothing was touched. Check bucket names, credentials, region and permissions."

    @classmethod
    def because(cls, error: RequestFailed, what: str = "") -> CannotStart:
        """Of a request that failed before anything was touched: with what helps against that, and
        nothing else.
        """
        first, *more = str(error).split("\n")
        return cls(f"{what}: {first}" if what else first, lines=more).with_remedy(error.remedy)

    def with_remedy(self, remedy: str) -> Self:
        """With another advice, unless it is empty."""
        if remedy:
            self.advice = f"Nothing was touched. {remedy}"
        return self


class BadConfiguration(CannotStart):
    """Something in the AWS configuration cannot be used: an endpoint, a Region, a profile, a
    source of credentials, a CA bundle, a proxy. The text names the setting.
    """

    advice = "Nothing was touched. Correct what the message names, and start again."


class BadInventory(CannotStart):
    """An S3 Inventory is not whole, is of another bucket, or does not have what is needed of every
    object.
    """

    advice = (
        "Nothing was touched. Name another inventory, or run without one: the buckets are listed "
        "then."
    )


class NotInstalled(CannotStart):
    """A package is missing that few need, so that it does not come with the rest."""

    advice = "Nothing was touched. Install it and start again."

    @classmethod
    def of(cls, what: str, extra: str) -> NotInstalled:
        """Names what is missing, and the extra of our package that brings it."""
        return cls(f"{what} is not installed: pip install 'control-tower-log-aggregator[{extra}]'")


class LimitExceeded(LogAggregatorError):
    """More would be touched than the limits allow, so nothing is."""

    exit_code = 3
    advice = "Nothing was touched. Raise the limit, or run fewer dates or buckets at a time."


class NoSuchOriginal(LogAggregatorError):
    """No pack holds a log object of this key (and version)."""

    advice = (
        "Check key, bucket and dates, character by character; or it may still be where it was "
        "delivered, not packed yet."
    )


class NothingFound(LogAggregatorError):
    """Nothing of what was asked for is there."""

    advice = "Check the name, and the bucket that packs go to; `--config` names the settings file."


class NotAllSearched(LogAggregatorError):
    """Nothing was found by a search that could not look at everything, so it may be there all the
    same. The text says how much was not looked at, and why.
    """

    exit_code = 4
    advice = (
        "`log-aggregator index terms` makes terms of packs that have none and can be read; what "
        "stays unsearched can be extracted and read by other means."
    )


class IncompleteSearch(LogAggregatorError):
    """Some indexes are damaged or missing, so that members of their packs may be missing from what
    was found.
    """

    advice = (
        "Everything else was found. `log-aggregator index rebuild` makes a lost index anew; a "
        "damaged one has to be removed first."
    )


class BadTerms(LogAggregatorError):
    """The terms of a pack cannot be read as their format says. It is no evidence against the pack,
    on which nothing but searching depends: hence it is not Unsound.
    """

    advice = (
        "No pack is touched by this. `log-aggregator index terms` makes the terms anew; see "
        "docs/internals/terms-format.md."
    )


class OutputFailed(LogAggregatorError):
    """What came out of the packs cannot be written here: no space, no permission, or nobody reads
    it any more.
    """

    advice = (
        "Make room, or write elsewhere, and start again. Every file that has its final name is "
        "whole and was checked."
    )


class OutOfTime(LogAggregatorError):
    """A Lambda function's time is nearly over. Uploads were aborted; packs that are written stay,
    and are found again.
    """

    advice = (
        "The state machine calls the function again, and it goes on where it was. Where that "
        "does not help: less at a time."
    )


class OutOfMemory(LogAggregatorError):
    """A Lambda function has no more memory. It is called again, in a new process; the text names
    the place where it noticed.
    """

    advice = (
        "Nothing went that is not in a verified pack, and the next run takes it up again. Where "
        "that does not help, give the function more memory: CombineMemorySize for the combining "
        "one, MemorySize in template.yaml for any other."
    )


class Unexpected(LogAggregatorError):
    """Something that this program did not foresee: a mistake of its own. The text names the kind
    of exception and where it arose. What the exception itself says is not told: it may quote a log.
    """

    advice = (
        "Nothing went that is not in a verified pack. Report it, with the place that the message "
        "names; the function's log has the lines that led there."
    )


class RunFailed(LogAggregatorError):
    """The end of a run in which something failed. The text begins with how many, and holds the
    first of them.
    """

    advice = (
        "Nothing went that is not in a verified pack; the next run takes up what failed. The whole "
        "list is in the run's result."
    )


class GroupFailed(LogAggregatorError):
    """A group could not be finished. Its originals are where they were."""

    advice = (
        "Nothing was deleted because of it. The same command, or the next run, takes it up again."
    )


class RequestFailed(LogAggregatorError):
    """A request to AWS was not done, after all retries. `code` is AWS's own error code."""

    remedy: ClassVar[str] = ""
    """What to do about it, whether or not anything was touched before."""
    advice = "Nothing was deleted because of it. The same command, or the next run, tries it again."

    def __init__(self, message: str, *, code: str = "", operation: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.operation = operation


class Unreachable(RequestFailed):
    """S3 gave no answer at all, after all retries. It says nothing of any object."""

    remedy = "Look at the network and the endpoint, and start the same command again."
    advice = f"{remedy} Nothing was deleted because of it."


class OutcomeUnknown(Unreachable):
    """Originals of a verified pack were to be deleted; S3 did not say whether it did so, nor which
    of them are still there.
    """

    advice = (
        "All of them are in a verified pack. Start the same command again: it looks which "
        "of them are still there, and goes on."
    )


class NotAuthenticated(RequestFailed):
    """AWS does not take the credentials: they have expired and cannot be renewed, or are not known.
    It says nothing of any object, and every other request would end the same way.
    """

    remedy = "Renew the credentials (log in again), and start the same command again."
    advice = (
        "Renew the credentials (log in again), and start the same command again: it goes on where "
        "this one ended. Nothing was deleted because of it."
    )


class WrongClock(NotAuthenticated):
    """AWS takes no request whose time is more than 15 minutes off its own."""

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
    """S3 computed another signature than the request has. If it says so of every request the secret
    access key is wrong; if of one key only, a proxy or the server writes that key in another way.
    """

    remedy = (
        "Look at the secret access key: it does not belong to the access key. Where only some keys "
        "are refused, look at the proxy or the server between."
    )
    advice = f"{remedy} Nothing was deleted because of it."


class NotFound(StoreError):
    """The object, version or upload is not there."""

    advice = "Look at the name, and whether it should be there. Nothing was deleted because of it."


class NoSuchBucket(StoreError):
    """The bucket is not there, which says nothing of the objects that should be in it."""

    remedy = "Look at the bucket's name."
    advice = f"{remedy} Nothing was deleted because of it."


class PreconditionFailed(StoreError):
    """A conditional request met another state than it asked for: somebody else was there first."""


class ObjectFrozen(StoreError):
    """The object is in an archive class and must be thawed before it can be read."""

    advice = (
        "Thaw it (`log-aggregator thaw`, or S3's RestoreObject), and try again. Of what is in an "
        "archive tier of Intelligent-Tiering `thaw` says how."
    )


class ObjectRefused(StoreError):
    """S3 refuses to give this one object (SSE-C, a KMS key that is pending deletion), or its answer
    cannot be used (a header, a body that breaks off). It says nothing of any other object.
    """

    advice = (
        "Look at the named object and at what S3 says of it. Nothing was deleted because of it."
    )


class UnreadableSources(GroupFailed):
    """Some log objects cannot be read; they were left where they are, and their group's others were
    packed.
    """

    advice = "Look at the named objects: permission, encryption, headers, body. They were kept."


class KeyTaken(GroupFailed):
    """There is another object under the key that an original was to be put back under. It was left
    as it is.
    """

    advice = (
        "Nothing was overwritten. Look at what is there, or put the original elsewhere: "
        "--to-bucket, --prefix."
    )


class ConditionsIgnored(GroupFailed):
    """The server does not keep to the conditions of a request, or it could not be shown that it
    does, so nothing is deleted by ETag.
    """

    advice = (
        "All is packed, and the originals were kept. Enable versioning on the source bucket, so "
        "that originals are deleted by version id, or use a server that keeps to conditions; where "
        "a permission is missing, grant it for probes/."
    )


class OtherBytes(GroupFailed):
    """Originals that look as if they were packed before are not what was packed. They were kept."""

    advice = (
        "Look at the named originals: they have key, time, size and ETag of a member of a pack, "
        "and other bytes. They were kept, and are not packed; what is copied to another key is."
    )


class NoLines(GroupFailed):
    """The original is no text and no gzip of text, so it has no lines."""

    advice = "Extract it without --lines: it comes back byte for byte."


class Unsound(GroupFailed):
    """What is stored is not what it should be: evidence, whatever else may be wrong."""

    advice = "Nothing was deleted. Look at what the message names."


class VerificationError(Unsound):
    """What S3 stores is not what was written, or it cannot be shown that it is. Nothing is
    deleted.
    """

    advice = "Nothing was deleted. Look at the named pack."


class BadPack(Unsound):
    """The pack or its index cannot be read as the pack format says."""

    advice = "Nothing was deleted. Look at the named pack; see docs/internals/pack-format.md."


class NewerFormat(BadPack):
    """A newer release wrote it, in a version of its format that this release does not know. That is
    no sign of damage.
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
        "The originals are packed and verified, but S3 keeps them. Check Object Lock, MFA delete "
        "and policies."
    )


class SourceChanged(LogAggregatorError):
    """Objects changed or vanished between listing and reading. Plan anew without them: they are the
    next run's.
    """


class Interrupted(LogAggregatorError):
    """The user stopped the run. Uploads were aborted, originals of unfinished groups kept."""

    exit_code = 130
    advice = (
        "What was finished stays, and nothing is half done. Start the same command again to go on."
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
        """With the error's own advice, unless there is a better one here."""
        return cls(where, error.state_name, str(error), error.advice if advice is None else advice)


_PACKAGE = __file__.removesuffix("errors.py")
"""As text: the core imports this module, and knows no file system."""


def name_place(error: BaseException) -> str:
    """`KeyError at log_aggregator/core/lines.py:12 in split`: the last line of ours on the way of
    an exception that is not. What it says itself may quote a log.
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
    """Without its listing a run does nothing."""
    try:
        yield
    except RequestFailed as error:
        raise CannotStart.because(error, what) from error
