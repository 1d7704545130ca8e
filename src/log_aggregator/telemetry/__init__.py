"""What a run tells those who operate it: logs, metrics, traces. Standard library only, so that a
cold start does not pay for it.
"""
