"""All promises, in the order of the page."""

from __future__ import annotations

from log_aggregator.steps.promises.asking import Promise
from log_aggregator.steps.promises.deleting import DELETING
from log_aggregator.steps.promises.listing import LISTING
from log_aggregator.steps.promises.locking import LOCKING
from log_aggregator.steps.promises.reading import READING
from log_aggregator.steps.promises.versions import VERSIONS
from log_aggregator.steps.promises.writing import WRITING

PROMISES: tuple[Promise, ...] = (
    *DELETING,
    *LOCKING,
    *WRITING,
    *READING,
    *VERSIONS,
    *LISTING,
)
