"""The operator's tool for what was set aside: list it, look at it, try it again."""
