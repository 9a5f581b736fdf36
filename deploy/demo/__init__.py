"""scanwire on one machine, with a simulated USPS and simulated merchants: `make run`.

Everything runs as it would elsewhere, each program a process of its own; the demo only starts,
watches and stops them.
"""
