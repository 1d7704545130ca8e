"""Long ranges, window by window, with a ledger in the target."""
