"""All promises, in the order of the page."""

from __future__ import annotations

from log_aggregator_lab.promises.asking import Promise
from log_aggregator_lab.promises.deleting import DELETING
from log_aggregator_lab.promises.listing import LISTING
from log_aggregator_lab.promises.reading import READING
from log_aggregator_lab.promises.versions import VERSIONS
from log_aggregator_lab.promises.writing import WRITING

PROMISES: tuple[Promise, ...] = (*DELETING, *WRITING, *READING, *VERSIONS, *LISTING)
