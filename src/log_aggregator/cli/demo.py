"""`demo`: a day of a synthetic organisation is packed, verified and deleted on a real S3 server,
here and now.
"""

from __future__ import annotations

import click

from log_aggregator.cli.options import lab_extra


@click.command()
@click.option(
    "--seed", type=int, default=1, show_default=True, help="Another seed, another organisation."
)
@click.option(
    "--keep", is_flag=True, help="Leave the server running until ctrl-C, to look at the packs."
)
def demo(seed: int, keep: bool) -> int:
    """Watch a day of a synthetic AWS organisation being packed, verified and deleted on an S3
    server that runs on this machine only. Touches nothing else. Takes about a minute.
    """
    with lab_extra():
        from log_aggregator.cli.demonstration import demonstrate  # noqa: PLC0415 - the lab is an extra
    return demonstrate(seed, keep=keep)
