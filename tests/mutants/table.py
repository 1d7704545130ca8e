"""All planted bugs, by the promise that they break."""

from __future__ import annotations

from tests.mutants.bugs.at_rest import AT_REST
from tests.mutants.bugs.backfilling import BACKFILLING
from tests.mutants.bugs.boundaries import BOUNDARIES
from tests.mutants.bugs.bundling import BUNDLING
from tests.mutants.bugs.command_line import COMMAND_LINE
from tests.mutants.bugs.compatibility import COMPATIBILITY
from tests.mutants.bugs.completeness import COMPLETENESS
from tests.mutants.bugs.configuration import CONFIGURATION
from tests.mutants.bugs.deleting import DELETING
from tests.mutants.bugs.deploying import DEPLOYING
from tests.mutants.bugs.drilling import DRILLING
from tests.mutants.bugs.exactness import EXACTNESS
from tests.mutants.bugs.fanning_out import FANNING_OUT
from tests.mutants.bugs.finding import FINDING
from tests.mutants.bugs.getting_back import GETTING_BACK
from tests.mutants.bugs.inventories import INVENTORIES
from tests.mutants.bugs.keeping_reports import KEEPING_REPORTS
from tests.mutants.bugs.listing import LISTING
from tests.mutants.bugs.packing import PACKING
from tests.mutants.bugs.reading_keys import READING_KEYS
from tests.mutants.bugs.rehearsing import REHEARSING
from tests.mutants.bugs.reporting import REPORTING
from tests.mutants.bugs.requests import REQUESTS
from tests.mutants.bugs.searching import SEARCHING
from tests.mutants.bugs.signing import SIGNING
from tests.mutants.bugs.stalls import STALLS
from tests.mutants.bugs.surveying import SURVEYING
from tests.mutants.bugs.terms import TERMS
from tests.mutants.bugs.trust import TRUST
from tests.mutants.bugs.verifying import VERIFYING
from tests.mutants.bugs.write_order import WRITE_ORDER

SECTIONS = (
    WRITE_ORDER,
    EXACTNESS,
    TRUST,
    SIGNING,
    VERIFYING,
    COMPLETENESS,
    AT_REST,
    DELETING,
    PACKING,
    READING_KEYS,
    FINDING,
    SEARCHING,
    TERMS,
    BOUNDARIES,
    LISTING,
    INVENTORIES,
    FANNING_OUT,
    REQUESTS,
    CONFIGURATION,
    COMMAND_LINE,
    STALLS,
    GETTING_BACK,
    DEPLOYING,
    BACKFILLING,
    SURVEYING,
    REHEARSING,
    DRILLING,
    REPORTING,
    BUNDLING,
    KEEPING_REPORTS,
    COMPATIBILITY,
)
MUTANTS = tuple(mutant for section in SECTIONS for mutant in section.mutants)
