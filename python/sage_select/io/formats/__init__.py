"""One file as the rows that it holds, and a table as the bytes of a file: a module for each format.

`sniff` tells formats by their first bytes. A reader checks what a file claims before it spends memory on it, and names
file, row and line of what is wrong.
"""
