"""The program behind ./deploy and `sam build`: the functions' artifact, and the checks before sam
is called.
"""
