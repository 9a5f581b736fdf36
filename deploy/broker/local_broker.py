"""One real Kafka node on this machine, as an object: for `make broker`, `make run` and tests."""

import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import psutil

from deploy.broker import process as processes
from deploy.broker.disk import writing_to
from deploy.broker.errors import BrokerError
from deploy.broker.install import SHARED_DIRECTORY, install
from deploy.broker.locks import locked
from deploy.broker.ports import ensure_free
from deploy.broker.probe import answers, last_words
from deploy.broker.properties import HOST, LOG_DIRECTORY, server_properties
from deploy.broker.say import Say, silent
from deploy.broker.storage import FORMATTING, Storage

DEFAULT_PORT: Final = 9092
_START_SECONDS: Final = 90.0
_POLL_SECONDS: Final = 0.05
_JAVA_OPTIONS: Final = ("-Xmx512m", "-XX:+ExitOnOutOfMemoryError")


@dataclass(frozen=True, slots=True)
class BrokerOptions:
    """What a broker may be given beside its directory and ports.

    properties: win over ours in server.properties.
    format_arguments: for StorageTool when the directory is new, such as --add-scram=….
    client_options: with which aiokafka reaches the CLIENT listener, when it is not plain.
    survives_us: False: the broker ends with the process that started it, also after kill -9.
    """

    properties: Mapping[str, str] = field(default_factory=dict)
    format_arguments: Sequence[str] = ()
    client_options: Mapping[str, Any] = field(default_factory=dict)
    survives_us: bool = False
    installation: Path = SHARED_DIRECTORY


class LocalBroker:
    """A Kafka node whose data are in one directory; ended and started again, it has them still.

    The methods block. From a coroutine: `await asyncio.to_thread(broker.start)`.
    """

    def __init__(
        self,
        directory: Path,
        port: int = DEFAULT_PORT,
        controller_port: int | None = None,
        options: BrokerOptions | None = None,
        say: Say = silent,
    ) -> None:
        self.directory = directory.absolute()
        self.port = port
        self._controller_port = port + 1 if controller_port is None else controller_port
        self._options = options or BrokerOptions()
        self._say = say
        self._pid_file = processes.PidFile(self.directory / "broker.pid")
        self._child: subprocess.Popen[bytes] | None = None
        self._lifeline: subprocess.Popen[bytes] | None = None

    @property
    def bootstrap_servers(self) -> str:
        """Where clients find it."""
        return f"{HOST}:{self.port}"

    def running(self) -> psutil.Process | None:
        """The live process of this directory, whoever started it."""
        found = self._pid_file.read()
        return found[0] if found else None

    def start(self) -> None:
        """Starts it and returns when a client is answered; a running one is left as it is.

        Raises:
            BrokerError: it does not start; the text says why and what to do.
        """
        with writing_to(self.directory):
            self.directory.mkdir(parents=True, exist_ok=True)
            with locked(self.directory / "broker.lock", self._say, "this broker to be started"):
                if not self._runs_already():
                    self._start()

    def stop(self) -> None:
        """Ends it in order and keeps its data; nothing happens if it does not run."""
        process = self.running()
        if process and not processes.end(process):
            self._say("The broker did not end within 30 s and was killed; its data are kept.")
        self._forget()

    def kill(self) -> None:
        """Ends it as a crash would: SIGKILL, in the middle of whatever it does."""
        process = self.running()
        if process:
            processes.kill(process)
        self._forget()

    def freeze(self) -> None:
        """Stops its clock: connections stay open and nothing is answered, until thaw()."""
        process = self.running()
        if process:
            processes.freeze(process)

    def thaw(self) -> None:
        """Lets a frozen one go on."""
        process = self.running()
        if process:
            process.resume()

    def __enter__(self) -> Self:
        """Starts it, or finds it running."""
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stops it if it was started here; one that was found running stays."""
        if self._child:
            self.stop()

    def _runs_already(self) -> bool:
        found = self._pid_file.read()
        if found is None:
            return False
        process, port = found
        if port == self.port and answers(port, self._options.client_options):
            return True
        trouble = "does not answer" if port == self.port else "serves another port"
        raise BrokerError(
            f"A broker with the data of {self.directory} runs as process {process.pid} on port "
            f"{port} and {trouble}. Stop it first: python -m deploy.broker stop --data "
            f"{self.directory} (its data are kept)."
        )

    def _start(self) -> None:
        ensure_free(self.port)
        ensure_free(self._controller_port)
        storage = Storage(self.directory, install(self._options.installation, self._say))
        storage.prepare(
            self._properties(FORMATTING), self._controller_port, self._options.format_arguments
        )
        storage.write("broker.properties", self._properties(LOG_DIRECTORY))
        self._child = processes.spawn(
            storage.kafka_command(
                "broker", "info", *_JAVA_OPTIONS, *storage.java.archive_at_exit()
            ),
            self.directory,
        )
        if not self._options.survives_us:
            self._lifeline = processes.spawn_lifeline(self._child.pid)
        try:
            self._pid_file.write(psutil.Process(self._child.pid), self.port)
            self._wait_for_answer(self._child)
        except BaseException:
            self.kill()
            raise

    def _properties(self, log_directory: str) -> str:
        return server_properties(
            self.port, self._controller_port, log_directory, self._options.properties
        )

    def _wait_for_answer(self, child: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while not answers(self.port, self._options.client_options):
            if child.poll() is not None:
                raise BrokerError(f"Kafka did not start. {last_words(self.directory)}")
            if time.monotonic() > deadline:
                raise BrokerError(
                    f"Kafka gave no answer within {_START_SECONDS:.0f} s; the machine may be "
                    f"overloaded. {last_words(self.directory)}"
                )
            time.sleep(_POLL_SECONDS)

    def _forget(self) -> None:
        if self._lifeline:
            processes.cut_lifeline(self._lifeline)
        if self._child:
            with suppress(subprocess.TimeoutExpired):
                self._child.wait(timeout=1)
        self._lifeline = self._child = None
        self._pid_file.remove()
