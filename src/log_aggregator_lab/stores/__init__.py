"""Object stores in memory, and stores that fail on purpose."""
