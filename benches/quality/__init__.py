"""Whether a selection helps: a classifier trained on the picks of every rule, beside random picks.

`python -m benches.quality` runs it and writes QUALITY.md.
"""
