"""What counts as a Region's name."""

from __future__ import annotations

import pytest

from log_aggregator.core.layouts.regions import is_region, parent_region

REGIONS = """
af-south-1 ap-east-1 ap-east-2 ap-northeast-1 ap-northeast-2 ap-northeast-3 ap-south-1 ap-south-2
ap-southeast-1 ap-southeast-2 ap-southeast-3 ap-southeast-4 ap-southeast-5 ap-southeast-6
ap-southeast-7 ca-central-1 ca-west-1 cn-north-1 cn-northwest-1 eu-central-1 eu-central-2 eu-north-1
eu-south-1 eu-south-2 eu-west-1 eu-west-2 eu-west-3 eusc-de-east-1 il-central-1 me-central-1
me-south-1 mx-central-1 sa-east-1 sa-west-1 us-east-1 us-east-2 us-gov-east-1 us-gov-west-1
us-iso-east-1 us-iso-west-1 us-isob-east-1 us-isob-west-1 us-isof-east-1 us-isof-south-1 us-west-1
us-west-2 eu-isoe-west-1
"""
ZONES = {
    "us-west-2-lax-1a": "us-west-2",
    "us-west-2-lax-1": "us-west-2",
    "us-east-1-wl1-bos-wlz-1": "us-east-1",
}
DECOYS = """
web-server-01 prod-cluster-1 ab-c-1 api-gateway-2 app-kafka-0 prod-eu-west-1 eu-west-1-prod
eu-west-01 eu-west-0 us-east-10 us-test-1 my-central-1 db-west-1 us-eastern-1 eu-middle-1 us-1
us-east us-east-1a us-east-1/ EU-WEST-1 eu_west_1 node-east-1 us-west-2-prod-1 s3-us-east-1
eu-west-1-backup-2 us-north-east-1 kafka-north-1 ap-east-one
"""


@pytest.mark.parametrize("name", REGIONS.split())
def test_regions_are_recognised(name: str) -> None:
    """Regions of every partition count, also those without an opt-in page."""
    assert is_region(name)
    assert parent_region(name) == name


@pytest.mark.parametrize("name", ZONES)
def test_a_zone_belongs_to_its_region(name: str) -> None:
    """A local or wavelength zone belongs to its Region."""
    assert is_region(name)
    assert parent_region(name) == ZONES[name]


@pytest.mark.parametrize("name", DECOYS.split())
def test_other_names_are_not_regions(name: str) -> None:
    """Names of servers, clusters and folders are not Regions."""
    assert not is_region(name)
