"""What damaged, hostile or large bytes may do to this process: raise an error, or go to a mapped file.

Every reader calls these before it believes a length, a ratio or a value that a file claims; none of them
knows a format.
"""
