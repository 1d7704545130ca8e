"""What terms each log type has, and who reads them: one row for each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from log_aggregator.core.terms.model import Field
from log_aggregator.core.terms.readers.cloudtrail import read_cloudtrail
from log_aggregator.core.terms.tally import Tally

Reader = Callable[[bytes, Tally], None]
"""Counts the terms of one member. Raises Unparsable where parts of it, or all of it, cannot be
read; whatever else was read is counted.
"""


@dataclass(frozen=True, slots=True)
class TermRow:
    """`places`: where each field is read, in the words of the log's own documentation."""

    read: Reader
    places: Mapping[Field, str]


_CLOUDTRAIL = TermRow(
    read_cloudtrail,
    {
        Field.PRINCIPAL: "userIdentity: arn, userName, principalId where there is no arn, "
        "invokedBy; sessionContext.sessionIssuer: arn, userName",
        Field.SESSION: "the session's name in userIdentity.arn; roleSessionName in the parameters",
        Field.ACCESS_KEY: "userIdentity.accessKeyId; accessKeyId in the parameters and the answer",
        Field.ADDRESS: "sourceIPAddress, where it is an address",
        Field.HOST: "sourceIPAddress, where it is none",
        Field.EVENT: "eventSource without `.amazonaws.com`, and eventName",
        Field.RESOURCE: "resources[].ARN; ARNs and ids in requestParameters and responseElements",
        Field.NAME: "names in requestParameters and responseElements",
        Field.ERROR: "errorCode",
    },
)

ROWS: Mapping[str, TermRow] = {
    "CloudTrail": _CLOUDTRAIL,
    "CloudTrail-NetworkActivity": _CLOUDTRAIL,
}


def has_terms(log_type: str) -> bool:
    return log_type in ROWS
