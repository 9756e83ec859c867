"""What the user named as one input: read as one table, taken from memory, or estimated for a dry run.

Files of any formats become one pool here; an output of this program is read with its manifest, or refused.
"""
