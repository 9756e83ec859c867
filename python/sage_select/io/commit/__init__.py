"""An output's parts appear together or not at all, and a reader never sees half of them.

The names around an output, the lock, the record of a commit and who carries it out; the manifest, which names the parts
and holds their digests; and how a reader beside a writer knows that what it read belongs together.
"""
