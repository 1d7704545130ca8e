"""A backfill's ledger: its entries, the progress that they show, and the next window."""
