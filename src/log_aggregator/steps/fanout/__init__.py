"""A run cut into pieces that each surely end in the time of a Lambda function. The pieces run the
same steps as a run in one process.

    prepare -> list (one task for some accounts or a bucket) -> gather -> combine -> verify ->
    delete (one work item) -> finish

What one piece tells the next lies in S3, in the run's folder, and is written once: a piece that is
called again finds what it wrote. Nothing is remembered from run to run but the packs themselves.
"""
