"""The two programs: parse, call, print."""
