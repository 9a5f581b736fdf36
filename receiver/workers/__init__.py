"""`serve` with several workers: processes behind one public port and one admin port.

The parent listens, hands connections to the workers and answers for all of them; each worker
is what `receiver.server` runs, but for where its connections come from and whom it reports to.
"""
