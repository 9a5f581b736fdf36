"""What goes wrong with the local broker."""


class BrokerError(Exception):
    """The local broker cannot be installed, started or stopped; the text says what to do."""
