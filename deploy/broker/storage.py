"""The directory of a broker's data, made ready for the broker to start in it."""

import re
import shutil
import subprocess
import time
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from uuid import uuid4

from deploy.broker import process as processes
from deploy.broker.errors import BrokerError
from deploy.broker.java import ENVIRONMENT, Java
from deploy.broker.properties import LOG_DIRECTORY, controller_properties

_LOGGING_FILE: Final = "log4j2.properties"
FORMATTING: Final = "formatting"
# The controller looks for dead brokers every eighth of a session; what it decided is kept when
# the look is "processed". Three sessions without a decision: there is nobody to call dead.
_SESSION_MILLISECONDS: Final = 400
_LOOKED: Final = "Processed maybeFenceStaleBroker"
_CALLED_DEAD: Final = re.compile(f"Fencing broker 1 .*{_LOOKED}", re.DOTALL)
_LOOKS_IN_VAIN: Final = 24
_CALL_DEAD_SECONDS: Final = 30.0
_POLL_SECONDS: Final = 0.02


@dataclass(frozen=True, slots=True)
class Storage:
    """What one broker keeps: its directory, and Kafka's log directory in it."""

    directory: Path
    java: Java

    def write(self, name: str, text: str) -> None:
        """Writes a file of settings."""
        (self.directory / name).write_text(text, encoding="ascii")

    def kafka_command(self, name: str, log_level: str, *options: str) -> list[str]:
        """The command that runs Kafka here with NAME.properties, writing NAME.log.

        log_level: of the controller; all else is at info.
        """
        here = (
            "-Djava.io.tmpdir=tmp",
            "-Djava.awt.headless=true",
            f"-Dlog4j2.configurationFile={_LOGGING_FILE}",
            f"-Dlog.name={name}",
            f"-Dcontroller.level={log_level}",
        )
        return self.java.command("kafka.Kafka", f"{name}.properties", options=(*here, *options))

    def prepare(
        self, server_properties: str, controller_port: int, format_arguments: Sequence[str]
    ) -> None:
        """Formats a new directory; else has the broker that was here before called dead.

        server_properties: the text, with `formatting` in the place of the log directory.
        """
        shutil.copyfile(Path(__file__).with_name(_LOGGING_FILE), self.directory / _LOGGING_FILE)
        (self.directory / "tmp").mkdir(exist_ok=True)
        if not (self.directory / LOG_DIRECTORY).exists():
            self._format(server_properties, format_arguments)
        else:
            self._call_former_self_dead(controller_port)

    def _format(self, server_properties: str, arguments: Sequence[str]) -> None:
        """Formats a directory beside the real one, which then gets its name: whole or not."""
        shutil.rmtree(self.directory / FORMATTING, ignore_errors=True)
        self.write("formatting.properties", server_properties)
        identity = ("-t", _new_cluster_id(), "-c", "formatting.properties")
        settings = ("--standalone", *identity, *arguments)
        command = self.java.command("kafka.tools.StorageTool", "format", *settings)
        done = subprocess.run(
            command, cwd=self.directory, env=ENVIRONMENT, capture_output=True, check=False
        )
        if done.returncode != 0:
            raise BrokerError(
                f"Kafka could not prepare {self.directory}:\n{done.stderr.decode(errors='replace')}"
            )
        (self.directory / FORMATTING).rename(self.directory / LOG_DIRECTORY)

    def _call_former_self_dead(self, controller_port: int) -> None:
        """Runs the node as a controller alone until it has called its former broker dead.

        Without this the node takes itself for its former self until that one's session ends, and
        then for dead for a moment. The transaction coordinator, which was just completing what
        had been committed before the end, finds the partitions without a leader, takes them for
        deleted and skips their commit markers: readers of what is committed stop there for ever.
        (Kafka 4.3.0: "likely deleted already and hence can be skipped"; 2 crashes of 5.)
        """
        text = controller_properties(controller_port, LOG_DIRECTORY, _SESSION_MILLISECONDS)
        self.write("controller.properties", text)
        log = self.directory / "controller.log"
        log.unlink(missing_ok=True)
        controller = processes.spawn(self.kafka_command("controller", "debug"), self.directory)
        lifeline = processes.spawn_lifeline(controller.pid)
        try:
            _wait_until_called_dead(controller, log)
        finally:
            processes.end_child(controller)
            processes.cut_lifeline(lifeline)


def _new_cluster_id() -> str:
    """22 characters, of which the first is no hyphen: it would be taken for an option."""
    return urlsafe_b64encode(uuid4().bytes).decode().rstrip("=").replace("-", "A", 1)


def _wait_until_called_dead(controller: subprocess.Popen[bytes], log: Path) -> None:
    """Gives up in silence: the broker then starts all the same, 30 s later."""
    deadline = time.monotonic() + _CALL_DEAD_SECONDS
    while time.monotonic() < deadline and controller.poll() is None:
        said = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
        if _CALLED_DEAD.search(said) or said.count(_LOOKED) > _LOOKS_IN_VAIN:
            return
        time.sleep(_POLL_SECONDS)
