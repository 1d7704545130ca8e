from __future__ import annotations

import pytest
from tests.site.building import ROOT, Built, build


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """Of this checkout, with all its pages. This takes some ten seconds."""
    built = build(ROOT, tmp_path_factory.mktemp("site"))
    assert built.code == 0, built.told
    return built


@pytest.fixture(scope="session")
def version(site: Built) -> str:
    """The folder of its only version."""
    (found,) = (each.name for each in site.folder.iterdir() if each.is_dir())
    return found
