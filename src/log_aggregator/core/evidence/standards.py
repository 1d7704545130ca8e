"""What standards require of a log archive, and which section of a report has the evidence.

A quoted text was compared with the source that its row names. All others are paraphrases, because
the standard's wording is not free or was not available; an auditor must read the source. Nothing
here claims compliance: it says what evidence there is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum


class Section(StrEnum):
    """The sections of a report, by their anchors, in its order."""

    COVERAGE = "coverage"
    INTEGRITY = "integrity"
    RETENTION = "retention"
    DRILLS = "drills"
    SAVED = "saved"


@dataclass(frozen=True, slots=True)
class Requirement:
    """`paragraph` is the standard's own numbering, `url` the source of its wording. `answer` says
    what the section shows about it, and what it does not.
    """

    section: Section
    standard: str
    paragraph: str
    text: str
    is_quoted: bool
    url: str
    answer: str

    def __post_init__(self) -> None:
        if not self.url.startswith("https://"):
            raise ValueError(f"{self.standard} {self.paragraph}: expected an https address")


def list_requirements(section: Section) -> Iterator[Requirement]:
    """The requirements that a section answers."""
    return (row for row in REQUIREMENTS if row.section is section)


_PCI = "PCI DSS 4.0.1"
_PCI_URL = "https://www.pcisecuritystandards.org/document_library/"
_NIS2 = "Implementing Regulation (EU) 2024/2690 (NIS2), Annex"
_NIS2_URL = "https://eur-lex.europa.eu/eli/reg_impl/2024/2690/oj"
_SEC = "SEC Rule 17a-4 (17 CFR 240.17a-4)"
_SEC_URL = "https://www.ecfr.gov/current/title-17/section-240.17a-4"
_SOC = "AICPA Trust Services Criteria 2017 (SOC 2)"
_SOC_URL = (
    "https://www.aicpa-cima.com/resources/download/"
    "2017-trust-services-criteria-with-revised-points-of-focus-2022"
)
_ISO = "ISO/IEC 27001:2022, Annex A"
_ISO_URL = "https://www.iso.org/standard/27001"

REQUIREMENTS = (
    Requirement(
        Section.COVERAGE,
        _PCI,
        "10.5.1",
        "Retain audit log history for at least 12 months, with at least the most recent three "
        "months immediately available for analysis.",
        True,
        _PCI_URL,
        "The calendar shows for each day of each account whether logs are kept, in which form, or "
        "are missing. Archived logs must be thawed first, so they are not immediately available.",
    ),
    Requirement(
        Section.COVERAGE,
        _NIS2,
        "3.2.1",
        "The relevant entities shall lay down procedures and use instruments to monitor and log "
        "activities on their network and information systems",
        True,
        _NIS2_URL,
        "The calendar shows for which accounts and days there are logs. It does not show whether "
        "the right activities are logged.",
    ),
    Requirement(
        Section.COVERAGE,
        _ISO,
        "A.8.15",
        "Logs that record activities, exceptions, faults and other relevant events shall be "
        "produced, stored, protected and analysed.",
        True,
        _ISO_URL,
        "The calendar shows what is stored, and the next two sections how it is protected. Nothing "
        "here shows that the logs are analysed.",
    ),
    Requirement(
        Section.INTEGRITY,
        _PCI,
        "10.3.4",
        "File integrity monitoring or change-detection mechanisms is used on audit logs to ensure "
        "that existing log data cannot be changed without generating alerts.",
        True,
        _PCI_URL,
        "Each custody record has the hash of the record before it and of the indexes, and each "
        "index has the hash of every log object. The check below finds any change. How often it "
        "runs, and who is alerted, depends on your schedule.",
    ),
    Requirement(
        Section.INTEGRITY,
        _SEC,
        "(f)(2)(ii)",
        "The system automatically verifies that what it stores and keeps is complete and accurate.",
        False,
        _SEC_URL,
        "Packs are verified before any original is deleted, and each verification is recorded.",
    ),
    Requirement(
        Section.INTEGRITY,
        _NIS2,
        "4.2.3",
        "The integrity of backup copies is checked regularly.",
        False,
        _NIS2_URL,
        "The checks of packs at rest, with their dates and results.",
    ),
    Requirement(
        Section.INTEGRITY,
        _SOC,
        "CC7.2",
        "System components are monitored for anomalies that point to malicious acts, natural "
        "disasters and errors.",
        False,
        _SOC_URL,
        "The check of the custody records finds records that were changed, removed or inserted.",
    ),
    Requirement(
        Section.RETENTION,
        _PCI,
        "10.3.2",
        "Audit log files are protected to prevent modifications by individuals.",
        True,
        _PCI_URL,
        "Object Lock, versioning and the public access block of the bucket of the packs, as S3 "
        "reports them. Policies, which say who may change them, are not read here.",
    ),
    Requirement(
        Section.RETENTION,
        _SEC,
        "(f)(2)(i)",
        "Records are kept so that they can be neither rewritten nor erased before their retention "
        "ends, or with a complete audit trail of every change.",
        False,
        _SEC_URL,
        "Object Lock in compliance mode meets the first alternative. Anyone with the permission "
        "can lift governance mode. The custody records do not meet the second alternative.",
    ),
    Requirement(
        Section.RETENTION,
        _NIS2,
        "4.2.2(f)",
        "Backup plans say how long copies are kept, by the needs of the business and the law.",
        False,
        _NIS2_URL,
        "The lifecycle rules that expire packs, with their number of days.",
    ),
    Requirement(
        Section.DRILLS,
        _NIS2,
        "4.2.6",
        "The recovery and reliability of backup copies are tested regularly; the results are "
        "documented, and corrective action is taken where needed.",
        False,
        _NIS2_URL,
        "Each drill reads back a random sample and compares every byte. Its result, good or bad, "
        "is a custody record.",
    ),
    Requirement(
        Section.DRILLS,
        _SOC,
        "A1.3",
        "The entity tests recovery plan procedures supporting system recovery to meet its "
        "objectives.",
        True,
        _SOC_URL,
        "The time from the request to the last byte, for half and for 95% of the sample.",
    ),
    Requirement(
        Section.DRILLS,
        _PCI,
        "10.5.1",
        "Retain audit log history for at least 12 months, with at least the most recent three "
        "months immediately available for analysis.",
        True,
        _PCI_URL,
        "The time to read back logs that are frozen, and logs that are not.",
    ),
)
