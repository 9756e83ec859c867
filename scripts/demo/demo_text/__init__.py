"""The grammar behind the built-in demo: tools, requests, dialogues, flaws, files."""
