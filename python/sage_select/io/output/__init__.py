"""An output of this program: whether it may be written, written, read back and opened again.

Formats give the bytes and `commit` the protocol; here they become one call.
"""
