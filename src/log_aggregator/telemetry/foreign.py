"""What may be told of an exception that is not ours: its type, and where it arose.

What Python and the libraries say may quote what they could not read: a line of a log, a key, a
value of an index. Our own errors do not, but what they came from does; so whatever a function
raises leaves it alone, without its chain. Lambda's runtime prints the text of what it gets, and
hands it to Step Functions as the cause and to X-Ray
(https://github.com/aws/aws-lambda-python-runtime-interface-client).
"""

from __future__ import annotations

from log_aggregator.errors import LogAggregatorError, OutOfMemory, Unexpected, name_place


def leave_alone(error: Exception) -> LogAggregatorError:
    """What may leave a function: `tell_own`, without what it came from.

    It is to be raised after the `except` that caught the error, which would be its context again.
    """
    told = tell_own(error)
    told.__cause__ = told.__context__ = None
    return told


def tell_own(error: Exception) -> LogAggregatorError:
    """The error itself where it is ours; of any other what may be told."""
    if isinstance(error, LogAggregatorError):
        return error
    kind = OutOfMemory if isinstance(error, MemoryError) else Unexpected
    return kind(name_place(error))
