"""Evidence that logs are complete, unaltered, and can be recovered."""
