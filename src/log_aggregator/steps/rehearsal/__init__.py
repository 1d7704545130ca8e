"""The life of a few synthetic logs, from their delivery to their way back, on the server that a
user means to use; and the promises that the program rests on, probed there.
"""
