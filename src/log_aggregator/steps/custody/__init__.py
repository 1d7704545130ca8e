"""The record of what every run did: written after it, walked, and traced for one log object."""
