"""What standards ask of an archive of logs, and which part of a report answers it.

A text in quotes was compared with the source that its row names. All others are paraphrases: the
standard's own words are not free, or were not at hand, and whoever goes by them reads the source.
None of this says that somebody complies: it says what there is to show.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum


class Section(StrEnum):
    """The parts of a report, by their anchors, in its order."""

    COVERAGE = "coverage"
    INTEGRITY = "integrity"
    RETENTION = "retention"
    DRILLS = "drills"
    SAVED = "saved"


@dataclass(frozen=True, slots=True)
class Requirement:
    """`paragraph` is as the standard counts, `url` where its words are. `answer` says what the
    section shows of it, and where that ends.
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
    """Those that a section answers."""
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
        "The calendar shows each day of each account: kept, in which form, or missing. What is "
        "archived must be thawed first, so it is not immediately available.",
    ),
    Requirement(
        Section.COVERAGE,
        _NIS2,
        "3.2.1",
        "The relevant entities shall lay down procedures and use instruments to monitor and log "
        "activities on their network and information systems",
        True,
        _NIS2_URL,
        "The calendar shows for which accounts and days there are logs. Whether the right things "
        "are logged is not seen here.",
    ),
    Requirement(
        Section.COVERAGE,
        _ISO,
        "A.8.15",
        "Logs that record activities, exceptions, faults and other relevant events shall be "
        "produced, stored, protected and analysed.",
        True,
        _ISO_URL,
        "The calendar shows what is stored; the next two parts, how it is protected. Nothing here "
        "shows that anybody analyses it.",
    ),
    Requirement(
        Section.INTEGRITY,
        _PCI,
        "10.3.4",
        "File integrity monitoring or change-detection mechanisms is used on audit logs to ensure "
        "that existing log data cannot be changed without generating alerts.",
        True,
        _PCI_URL,
        "Each custody record names the hash of the one before it and of the indexes, and these the "
        "hash of every log object. A change shows in the check below; who is alerted, and how "
        "often it is made, is up to its schedule.",
    ),
    Requirement(
        Section.INTEGRITY,
        _SEC,
        "(f)(2)(ii)",
        "The system verifies by itself that what it stores and keeps is complete and accurate.",
        False,
        _SEC_URL,
        "Packs are verified before any original is deleted, and each verification is in a record.",
    ),
    Requirement(
        Section.INTEGRITY,
        _NIS2,
        "4.2.3",
        "The integrity of backup copies is checked regularly.",
        False,
        _NIS2_URL,
        "The checks of packs at rest, with their dates and what they found.",
    ),
    Requirement(
        Section.INTEGRITY,
        _SOC,
        "CC7.2",
        "System components are monitored for anomalies that point to malicious acts, natural "
        "disasters and errors.",
        False,
        _SOC_URL,
        "What the walk over the custody records found, of records that were changed, removed or "
        "put in between.",
    ),
    Requirement(
        Section.RETENTION,
        _PCI,
        "10.3.2",
        "Audit log files are protected to prevent modifications by individuals.",
        True,
        _PCI_URL,
        "Object Lock, versions and the public access block of the bucket of the packs, as S3 "
        "told them. Who may change them is in policies that are not read here.",
    ),
    Requirement(
        Section.RETENTION,
        _SEC,
        "(f)(2)(i)",
        "Records are kept so that they can be neither rewritten nor erased until their time is "
        "over, or with a complete audit trail of every change.",
        False,
        _SEC_URL,
        "Object Lock in compliance mode is the former, the custody records are not the latter. "
        "Governance mode can be lifted by whoever has the permission.",
    ),
    Requirement(
        Section.RETENTION,
        _NIS2,
        "4.2.2(f)",
        "Backup plans say for how long copies are kept, by what the business and the law need.",
        False,
        _NIS2_URL,
        "The lifecycle rules that expire packs, and after how many days.",
    ),
    Requirement(
        Section.DRILLS,
        _NIS2,
        "4.2.6",
        "It is tested regularly, written down, and corrected where needed, that backup copies can "
        "be recovered and relied upon.",
        False,
        _NIS2_URL,
        "Each drill brings back a random sample and compares every byte; its result is a custody "
        "record, a bad one too.",
    ),
    Requirement(
        Section.DRILLS,
        _SOC,
        "A1.3",
        "The entity tests recovery plan procedures supporting system recovery to meet its "
        "objectives.",
        True,
        _SOC_URL,
        "The time from the request to the bytes, of half and of 95% of the sample.",
    ),
    Requirement(
        Section.DRILLS,
        _PCI,
        "10.5.1",
        "Retain audit log history for at least 12 months, with at least the most recent three "
        "months immediately available for analysis.",
        True,
        _PCI_URL,
        "How long it takes to get logs back that are frozen, and those that are not.",
    ),
)
