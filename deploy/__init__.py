"""How scanwire runs: the local broker, the demonstration and the files of its deployments."""
