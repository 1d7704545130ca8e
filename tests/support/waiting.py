"""How tests wait: for an event, and never for an amount of time."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

PATIENCE = "TEST_SECONDS_MAX"
"""The variable by which planted bugs declare that anything late will never come."""
SECONDS_MAX = int(os.environ.get(PATIENCE, "600"))
"""For anything that is waited for: a hundred times what it takes on an idle machine. Only something
that never comes takes this long.
"""
POLL_SECONDS = 0.01


def wait_until(is_so: Callable[[], object]) -> None:
    """Raises TimeoutError."""
    deadline = time.monotonic() + SECONDS_MAX
    while not is_so():
        if time.monotonic() > deadline:
            raise TimeoutError(f"what is waited for has not come in {SECONDS_MAX} s")
        time.sleep(POLL_SECONDS)
