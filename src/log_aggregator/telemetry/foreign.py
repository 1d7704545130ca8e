"""What may be reported about an exception that is not ours: its type, and where it was raised.

Messages of Python and of libraries may quote what they could not read: a line of a log, a key, a
value of an index. Our own errors do not, but their causes may; so an error leaves a function
without its chain. Lambda's runtime prints the text of an error, and passes it to Step Functions as
the cause and to X-Ray (https://github.com/aws/aws-lambda-python-runtime-interface-client).
"""

from __future__ import annotations

from log_aggregator.errors import LogAggregatorError, OutOfMemory, Unexpected, name_place


def leave_alone(error: Exception) -> LogAggregatorError:
    """The error that may leave a function: that of `tell_own`, without its causes.

    Raise it after the `except` that caught the error, which would otherwise become its context.
    """
    told = tell_own(error)
    told.__cause__ = told.__context__ = None
    return told


def tell_own(error: Exception) -> LogAggregatorError:
    """The error itself where it is ours; for any other, one that says what may be reported."""
    if isinstance(error, LogAggregatorError):
        return error
    kind = OutOfMemory if isinstance(error, MemoryError) else Unexpected
    return kind(name_place(error))
