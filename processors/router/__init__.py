"""Scan events to merchants' topics, or withheld: who may see what, and why."""
