"""The trainers that a selection is exported to, a file each: adding one is adding a file."""
