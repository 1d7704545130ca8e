"""The nightly journey: list, plan, combine, verify, delete, in this order and no other."""
