"""Where a merchant's events go: one file per kind of sink, and one row of `table.SINKS`."""
