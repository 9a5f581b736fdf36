"""The public port: connections and requests within bounds, and what they are answered."""
