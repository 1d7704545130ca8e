"""Looks at an account before, or after, the aggregator runs in it. Asks questions only; changes
nothing.
"""
