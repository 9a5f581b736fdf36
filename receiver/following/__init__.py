"""Which subscriptions there are: the registry followed, and what was last seen of it."""
