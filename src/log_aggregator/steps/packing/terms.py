"""A pack's terms: gathered while the pack is combined, from bytes that are inflated then anyway,
and written after its index.

Neither packing nor deletion depends on them. So any error here, caused by a log's contents or by
S3, only makes the pack unsearchable; the run reports it, and `index terms` repairs it. Only what
ends a run anyway is raised: a stop, or expired credentials.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

from log_aggregator.core.packformat.builder import Original, order_in_index
from log_aggregator.core.packformat.contents import Shape
from log_aggregator.core.packformat.inflate import GzipBomb, inflate_whole
from log_aggregator.core.terms.collect import Collector
from log_aggregator.core.terms.model import Unsearched
from log_aggregator.core.terms.table import has_terms
from log_aggregator.errors import NotAuthenticated, RequestFailed, name_place
from log_aggregator.limits import SEARCHED_MEMBER_BYTES_MAX
from log_aggregator.model import PackFormat, PackPlan
from log_aggregator.ports.store import ObjectStore
from log_aggregator.steps.packs.terms import finish_terms, write_terms
from log_aggregator.steps.rules import TermsOptions

_one_large = threading.Lock()
"""Only one large member is inflated at a time, however many groups are under way: for memory."""


def are_wanted(plan: PackPlan, options: TermsOptions | None) -> bool:
    """Whether a pack gets terms. Log types without terms get none, and neither do copies, which are
    never read; a search sees from the pack's key that it has no terms.
    """
    return (
        options is not None
        and plan.format is not PackFormat.COPY
        and has_terms(plan.group.log_type)
    )


class PackTerms:
    """Gathers the terms of one pack, whose members are given by their numbers in its plan.

    `error` says why the pack has no terms; it is empty while nothing went wrong.
    """

    def __init__(self, plan: PackPlan, options: TermsOptions | None) -> None:
        self.error = ""
        self._plan, self._options = plan, options
        self._collector: Collector | None = None
        if options is None or not are_wanted(plan, options):
            return
        if options.lacks_key:
            self.error = "SettingsError: values must be hashed, but there is no key for it"
            return
        with self._going_on():
            self._collector = Collector(plan.group.log_type, options.key)

    def take(self, number: int, original: Original) -> None:
        """Takes a member's bytes."""
        if self._collector is not None:
            with self._going_on():
                _take(self._collector, number, original)

    def skip(self, number: int, reason: Unsearched) -> None:
        """Notes a member that is not searched."""
        if self._collector is not None:
            with self._going_on():
                self._collector.skip(number, reason)

    def write(self, store: ObjectStore) -> None:
        """Stores the terms with the pack. Raises NotAuthenticated, Interrupted."""
        plan, options, data = self._plan, self._options, None
        if self._collector is not None:
            with self._going_on():
                data = _finish(self._collector, plan)
        if options is None or data is None:
            return
        try:
            write_terms(store, plan.target, plan.key, data, options.write)
        except NotAuthenticated:
            raise
        except RequestFailed as error:
            self.error = f"{error.state_name}: {error}"

    @contextlib.contextmanager
    def _going_on(self) -> Iterator[None]:
        """A collector should not raise for any contents of a log. If one does, this pack has no
        terms, but its logs are packed all the same.
        """
        try:
            yield
        except Exception as error:  # noqa: BLE001 - whatever it is, the pack comes first
            self.error, self._collector = f"Unexpected: {name_place(error)}", None


def _finish(collector: Collector, plan: PackPlan) -> bytes:
    places = order_in_index(plan.sources)
    return finish_terms(collector, plan.key, places.__getitem__)


def _take(collector: Collector, number: int, original: Original) -> None:
    contents = original.contents
    if contents.shape is Shape.TEXT:
        collector.add(number, original.data)
    elif contents.inflated is not None:
        collector.add(number, contents.inflated)
    elif contents.shape is Shape.GZIP:
        _take_large(collector, number, original.data)
    else:
        collector.skip(number, Unsearched.UNPARSABLE)


def _take_large(collector: Collector, number: int, data: bytes) -> None:
    with _one_large:
        try:
            inflated = inflate_whole(data, SEARCHED_MEMBER_BYTES_MAX)
        except GzipBomb:
            collector.skip(number, Unsearched.TOO_LARGE)
        else:
            collector.add(number, inflated)
