"""What every page of a listing must be, whoever answers.

AWS keeps all of this. Other servers do not, and then say nothing: keys that come in another order
are jumped over, a page that is given again is read for ever, and a delimiter that is not understood
makes a full bucket look empty. So a page that cannot be right is an error, and never a result.

A page of 1,000 entries is looked at in 0.2 ms.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from log_aggregator.errors import StoreError
from log_aggregator.model import DeleteMarker, LogObject
from log_aggregator.ports.store import ListStart, Page

DELIMITER = "/"
CONTINUES_ELSEWHERE = "this server does not continue a listing where it is told to"


@dataclass(frozen=True, slots=True)
class Listed:
    """Whose pages are looked at."""

    operation: str
    bucket: str
    prefix: str

    def fail(self, what: str, code: str = "InvalidListing") -> StoreError:
        """The error to raise; `what` is all that differs."""
        message = f"{self.operation} s3://{self.bucket}/{self.prefix}: {what}"
        return StoreError(message, code=code, operation=self.operation)

    def lost(self) -> StoreError:
        """Going on by guess could leave objects out without a word."""
        return self.fail("S3 says that the listing goes on, but not where")


def check_keys(
    listed: Listed, keys: Sequence[str], start: ListStart | None, *, is_repeated: bool = False
) -> None:
    """The keys of a page, in the order in which they came, lie under the prefix, after the start,
    and in the order of their UTF-8 bytes, which is that of Python's strings.

    `is_repeated`: a key may come several times, once for each version.
    """
    check_prefix(listed, keys)
    if not keys:
        return
    if start is not None and (keys[0] < start.key or (keys[0] == start.key and not is_repeated)):
        raise listed.fail(
            f"the page begins with {keys[0]!r}: expected keys after {start.key!r}; "
            f"{CONTINUES_ELSEWHERE}"
        )
    for before, key in pairwise(keys):
        if key < before or (key == before and not is_repeated):
            raise listed.fail(
                f"{key!r} comes after {before!r}: expected keys in the order of their UTF-8 bytes; "
                "this server lists in another order"
            )


def check_prefix(listed: Listed, names: Iterable[str]) -> None:
    """All of them lie under the prefix."""
    for name in names:
        if not name.startswith(listed.prefix):
            raise listed.fail(
                f"{name!r} does not begin with the prefix: expected only what does; this server "
                "does not list by prefix"
            )


def check_versions(listed: Listed, page: Page, start: ListStart | None) -> None:
    """As check_keys, for versions and for delete markers, which some servers give after all
    versions. Of the key that the page begins in, only what comes after its version. And the next
    page begins somewhere else.
    """
    check_keys(listed, [each.key for each in page.objects], start, is_repeated=True)
    check_keys(listed, [each.key for each in page.markers], start, is_repeated=True)
    entries: list[LogObject | DeleteMarker] = [*page.objects, *page.markers]
    if start is not None:
        same = {each.version_id for each in entries if each.key == start.key}
        if start.version_id in same or (same and start.version_id is None):
            raise listed.fail(
                f"the page has a version of {start.key!r} after which it was to begin: expected "
                f"what follows; {CONTINUES_ELSEWHERE}"
            )
    last = max((each.key for each in entries), default=start.key if start is not None else "")
    following = page.next_start
    if following is not None and (following.key < last or following == start):
        raise listed.fail(
            f"the next page is to begin after {following.key!r}: expected a place after this page; "
            "such a listing has no end"
        )


@dataclass(slots=True)
class FolderPages:
    """Pages of a listing by delimiter: nothing lies outside of the prefix, nothing comes twice, and
    no object lies behind a delimiter.

    Their order is of no interest: all pages are taken, and only S3's own token leads on.
    """

    listed: Listed
    _seen: set[str] = field(default_factory=set)
    _tokens: set[str] = field(default_factory=set)

    def check_page(self, keys: Sequence[str], prefixes: Sequence[str]) -> None:
        """To be called with each page."""
        check_prefix(self.listed, (*keys, *prefixes))
        begin = len(self.listed.prefix)
        if any(DELIMITER in key[begin:] for key in keys) or any(
            prefix.find(DELIMITER, begin) != len(prefix) - 1 for prefix in prefixes
        ):
            raise no_delimiter(self.listed)
        for name in (*keys, *prefixes):
            if name in self._seen:
                raise self.listed.fail(
                    f"{name!r} comes twice: expected every entry once; this server repeats pages"
                )
            self._seen.add(name)

    def check_token(self, token: str) -> None:
        """Empty pages have no entry that could come twice, but a token."""
        if token in self._tokens:
            raise self.listed.fail(
                "S3 says that the listing goes on where it was already: such a listing has no end"
            )
        self._tokens.add(token)


def no_delimiter(listed: Listed) -> StoreError:
    """Where a server takes a delimiter and does something else with it."""
    return listed.fail(
        "this server does not list by delimiter: expected what lies right under the prefix, as S3 "
        'answers to delimiter "/"',
        code="NoDelimiter",
    )
