"""Fetches single artifacts with jgo, from Maven Central or the mirror that jgo's settings name."""

import time
from pathlib import Path
from typing import Final

from jgo.config import GlobalSettings
from jgo.maven import MavenContext

from deploy.broker.errors import BrokerError
from deploy.broker.jars import Jar

_TRIES: Final = 3
_PAUSE_SECONDS: Final = 2.0
_READ_TIMEOUT_SECONDS: Final = 30


class MavenFetch:
    """Puts the file of a pinned jar into a directory; resolves nothing beside it."""

    def __init__(self, directory: Path) -> None:
        mirrors = GlobalSettings.load().repositories
        central = MavenContext(repo_cache=directory).remote_repos
        self._context = MavenContext(
            repo_cache=directory,
            remote_repos={**mirrors, **{k: v for k, v in central.items() if k not in mirrors}},
            timeout=_READ_TIMEOUT_SECONDS,
        )

    def __call__(self, jar: Jar) -> Path:
        """The path of the fetched file, not verified.

        Raises:
            BrokerError: the network or the repository does not give it, three times in a row.
            OSError: the directory cannot be written to.
        """
        for remaining in reversed(range(_TRIES)):
            try:
                return self._fetch_once(jar)
            except (OSError, RuntimeError) as exc:
                # The network's errors are OSErrors without an errno; the disk's have one.
                if isinstance(exc, OSError) and exc.errno is not None:
                    raise
                if not remaining:
                    raise _unreachable(jar, exc) from exc
            time.sleep(_PAUSE_SECONDS)
        raise AssertionError

    def _fetch_once(self, jar: Jar) -> Path:
        component = self._context.project(jar.group, jar.artifact).at_version(jar.version)
        artifact = component.artifact()
        try:
            return Path(artifact.resolve())
        except BaseException:
            # jgo would take the part it wrote for the whole the next time.
            if artifact.cached_path is not None:
                artifact.cached_path.unlink(missing_ok=True)
            raise


def _unreachable(jar: Jar, cause: Exception) -> BrokerError:
    return BrokerError(
        f"{jar.coordinate} could not be fetched from Maven Central ({type(cause).__name__}). The "
        "local Kafka is downloaded once, about 45 MB: check the network, or set HTTPS_PROXY, or "
        "name a mirror in jgo's configuration file ([repositories] central = …), or copy the "
        "directory .scanwire/kafka-4.3.0 from a machine that has it; then run this again."
    )
