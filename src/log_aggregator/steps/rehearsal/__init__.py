"""Rehearses on the user's own server: takes a few synthetic logs from delivery to put-back, and
probes the promises of S3 that the program relies on.
"""
