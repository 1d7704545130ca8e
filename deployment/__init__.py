"""What stands behind ./deploy and `sam build`: the functions' artifact, the checks, the change
set.
"""
