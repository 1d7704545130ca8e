"""A backfill's ledger: what its entries say, how far it is by them, and what comes next."""
