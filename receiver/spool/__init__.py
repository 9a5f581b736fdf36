"""Where records wait on this machine's disk while the broker is slow or away."""
