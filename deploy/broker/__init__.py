"""A real Kafka for a machine that has only Python: installed, started, stopped, broken on purpose.

`python -m deploy.broker --help` for people, `LocalBroker` for programs and tests.
"""

from deploy.broker.errors import BrokerError
from deploy.broker.install import SHARED_DIRECTORY, install
from deploy.broker.local_broker import DEFAULT_PORT, BrokerOptions, LocalBroker
from deploy.broker.ports import free_port

__all__ = [
    "DEFAULT_PORT",
    "SHARED_DIRECTORY",
    "BrokerError",
    "BrokerOptions",
    "LocalBroker",
    "free_port",
    "install",
]
