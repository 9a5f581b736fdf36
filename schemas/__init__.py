"""What receiver and processors agree on: records, identifiers, rules, names.

Nothing in this package opens a file, a socket or a client: whatever touches the
world is passed in by the program that owns it.
"""
