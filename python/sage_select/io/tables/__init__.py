"""Rows as Arrow tables: types that every reader keeps, the place each row came from, JSON text in columns, digests.

Nothing here opens a file: tables of all formats, and those of other libraries, are made alike by it.
"""
