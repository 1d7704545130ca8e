"""A run split into pieces, each small enough for the time limit of a Lambda function (15 minutes:
https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html). The pieces run the same
steps as a run in one process.

    prepare -> list (one task for some accounts or a bucket) -> gather -> combine -> verify ->
    delete (one work item) -> finish

Pieces pass results on through objects in the run's folder, which are written once: a piece that is
called again finds what it wrote. Nothing is kept from run to run except the packs themselves.
"""
