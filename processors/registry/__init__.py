"""Registry files: read, checked, compared with what is in force, applied, shown."""
