"""What `sam build` makes."""

from __future__ import annotations

from tests.e2e.building import BuiltTemplate
from tests.e2e.packaging import UNZIPPED_BYTES_MAX, fingerprint, list_files, make_artifact


def test_all_functions_share_one_artifact(built: BuiltTemplate) -> None:
    """Equal folders, so that one zip goes into S3, and one for the function that reads Parquet;
    they are far smaller than Lambda allows.
    """
    folders = {
        name: built.folder / properties["CodeUri"] for name, properties in built.functions.items()
    }
    assert len(folders) == 11
    of_inventories = folders.pop("SortInventoryFunction")
    assert len({fingerprint(folder) for folder in folders.values()}) == 1
    assert make_artifact(folders["ListFunction"], {}).unzipped_bytes < UNZIPPED_BYTES_MAX // 4
    assert "arro3/io" in {name.rpartition("/")[0] for name, _ in list_files(of_inventories)}
    assert make_artifact(of_inventories, {}).unzipped_bytes < UNZIPPED_BYTES_MAX // 3


def test_no_test_code_goes_to_lambda(built: BuiltTemplate) -> None:
    """The package without its laboratory and its command line, and without bytecode of another
    interpreter.
    """
    names = {name for name, _ in list_files(built.folder / "DeleteFunction")}
    assert "log_aggregator/handlers/delete.py" in names
    assert [
        name
        for name in names
        if name.startswith(("log_aggregator/lab/", "log_aggregator/cli/")) or name.endswith(".pyc")
    ] == []
