"""python -m deploy.broker start|stop|status|install|path."""

import argparse
import sys
import time
from pathlib import Path
from typing import Final

from deploy.broker.errors import BrokerError
from deploy.broker.install import REPOSITORY_ROOT, SHARED_DIRECTORY, install
from deploy.broker.jars import KAFKA_VERSION
from deploy.broker.local_broker import DEFAULT_PORT, BrokerOptions, LocalBroker

DEFAULT_DATA: Final = REPOSITORY_ROOT / ".scanwire" / "broker"


def main() -> int:
    """Runs one command; 0 well, 1 refused or failed or (status) not running, 2 usage."""
    arguments = _parser().parse_args()
    try:
        return _run(arguments)
    except BrokerError as exc:
        print(exc, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Interrupted; nothing is left half done.", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m deploy.broker",
        description=f"Apache Kafka {KAFKA_VERSION} on this machine: one node, for development.",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    start = commands.add_parser("start", help="start it, or leave it running; keeps its data")
    stop = commands.add_parser("stop", help="end it and keep its data")
    status = commands.add_parser("status", help="whether it runs (exit code 0) or not (1)")
    fetch = commands.add_parser("install", help="fetch and verify Kafka's jars, once")
    path = commands.add_parser("path", help="install, then print the jars' directory")
    for command in (start, stop, status):
        command.add_argument("--data", type=Path, default=DEFAULT_DATA, metavar="DIRECTORY")
    start.add_argument("--port", type=_port, default=DEFAULT_PORT)
    start.add_argument("--controller-port", type=_port, help="default: port + 1")
    for command in (start, fetch, path):
        command.add_argument("--jars", type=Path, default=SHARED_DIRECTORY, metavar="DIRECTORY")
    return parser


def _port(text: str) -> int:
    port = int(text)
    if not 1 <= port < 2**16 - 1:
        raise argparse.ArgumentTypeError("a port is a number from 1 to 65534")
    return port


def _run(arguments: argparse.Namespace) -> int:
    match arguments.command:
        case "start":
            _start(arguments)
        case "stop":
            _stop(LocalBroker(arguments.data, say=_say))
        case "status":
            return _status(LocalBroker(arguments.data))
        case "install":
            install(arguments.jars, _say)
        case "path":
            install(arguments.jars, _say)
            print(arguments.jars)
    return 0


def _start(arguments: argparse.Namespace) -> None:
    options = BrokerOptions(survives_us=True, installation=arguments.jars)
    broker = LocalBroker(arguments.data, arguments.port, arguments.controller_port, options, _say)
    began = time.monotonic()
    before = broker.running()
    broker.start()
    process = broker.running()
    if process is None:
        raise BrokerError("Kafka started and ended at once. Start it again and see broker.log.")
    how = "already ran" if before else f"started in {time.monotonic() - began:.1f} s"
    print(
        f"Apache Kafka {KAFKA_VERSION} answers at {broker.bootstrap_servers} "
        f"({how}; process {process.pid}; data and broker.log in {broker.directory})."
    )


def _stop(broker: LocalBroker) -> None:
    ran = broker.running()
    broker.stop()
    print(
        f"Stopped; its data stay in {broker.directory}."
        if ran
        else f"No broker runs with the data of {broker.directory}."
    )


def _status(broker: LocalBroker) -> int:
    process = broker.running()
    if process is None:
        print(f"No broker runs with the data of {broker.directory}.")
        return 1
    print(f"A broker runs as process {process.pid} with the data of {broker.directory}.")
    return 0


def _say(sentence: str) -> None:
    print(sentence, file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
