"""From what the user named to bytes: paths, patterns, folders, URLs, pipes and standard input.

Each file is opened once, so that rows and digest come from the same bytes; nothing here knows what the bytes mean.
"""
