"""Examines an account before or after the aggregator runs in it. Only reads; changes nothing."""
