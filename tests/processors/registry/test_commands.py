"""`registry`, `topics` and `check` as an operator runs them: exit codes, output, JSON."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from deploy.broker import LocalBroker
from tests.processors.registry.cluster import BASE

Run = Callable[..., subprocess.CompletedProcess[str]]
ROOT = Path(__file__).parents[3]


@pytest.fixture
def run(broker: LocalBroker, topic_prefix: str, tmp_path: Path) -> Run:
    """Runs one command of `scanwire-processors` against a prefix of its own."""

    def command(
        *arguments: str, environ: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        given = {
            "PATH": os.environ["PATH"],
            "SCANWIRE_KAFKA_BOOTSTRAP_SERVERS": broker.bootstrap_servers,
            "SCANWIRE_TOPIC_PREFIX": topic_prefix,
            "SCANWIRE_TOPIC_PARTITIONS": "2",
            "SCANWIRE_STATE_DIRECTORY": str(tmp_path / "state"),
            **(environ or {}),
        }
        return subprocess.run(
            [sys.executable, "-m", "processors", *arguments],
            cwd=ROOT,
            env=given,
            capture_output=True,
            text=True,
            check=False,
        )

    return command


@pytest.fixture
def file(tmp_path: Path) -> str:
    """A registry file that is well."""
    path = tmp_path / "registry.yaml"
    path.write_text(BASE)
    return str(path)


def document(done: subprocess.CompletedProcess[str]) -> Any:
    """The one JSON document on stdout."""
    return json.loads(done.stdout)


def test_plan_exits_two_for_changes_zero_for_none_and_one_when_refused(
    run: Run, file: str, tmp_path: Path
) -> None:
    """As the contract says; apply makes the difference."""
    changes = run("registry", "plan", file)
    assert (changes.returncode, changes.stderr) == (2, "")
    assert "+ merchant/acme" in changes.stdout
    assert "3 added, 0 changed, 0 removed; revision 0 is in force." in changes.stdout
    applied = run("registry", "apply", file)
    assert applied.returncode == 0
    assert applied.stdout.endswith("3 added, 0 changed, 0 removed; revision 1 is in force now.\n")
    nothing = run("registry", "plan", file)
    assert (nothing.returncode, nothing.stdout) == (0, "Nothing changes; revision 1 is in force.\n")
    again = run("registry", "apply", file)
    assert (again.returncode, again.stdout) == (0, "Nothing changes; revision 1 is in force.\n")
    bad = tmp_path / "bad.yaml"
    bad.write_text("merchants: [{id: acme}]")
    for verb in ("plan", "apply"):
        refused = run("registry", verb, str(bad))
        assert refused.returncode == 1
        assert f"{bad}:1: merchant acme: role: is missing; add it\n" in refused.stderr
        assert not refused.stdout


def test_plan_shows_what_changes_in_an_entity(run: Run, file: str) -> None:
    """Field by field, and as JSON with the whole entity before and after."""
    run("registry", "apply", file)
    Path(file).write_text(BASE.replace("name: Beta", "name: Beta Ltd"))
    assert run("registry", "plan", file).stdout.startswith(
        '~ merchant/beta\n    name: "Beta" -> "Beta Ltd"\n'
    )
    planned = document(run("registry", "plan", file, "--json"))
    (change,) = planned["changes"]
    assert planned["revision"] == 1
    assert (change["change"], change["key"]) == ("changed", "merchant/beta")
    assert change["before"]["name"] == "Beta"
    assert change["after"]["name"] == "Beta Ltd"


def test_what_is_shown_is_a_registry_file(run: Run, file: str, tmp_path: Path) -> None:
    """Applied again, it changes nothing."""
    assert run("registry", "show").stdout == "# Nothing was ever applied.\n"
    run("registry", "apply", file)
    shown = run("registry", "show")
    copy = tmp_path / "copy.yaml"
    copy.write_text(shown.stdout)
    assert shown.stdout.startswith("# Revision 1, applied at 2")
    assert run("registry", "plan", str(copy)).returncode == 0


def test_show_takes_a_kind_and_an_id(run: Run, file: str) -> None:
    """Section name or singular; what is not in force is said, with exit code 1."""
    run("registry", "apply", file)
    mids = document(run("registry", "show", "mids", "--json"))
    assert mids["revision"] == 1
    assert mids["mids"] == [{"mid": "912345678", "owner": "acme"}]
    assert "merchants" not in mids
    one = document(run("registry", "show", "merchant", "beta", "--json"))
    assert [merchant["id"] for merchant in one["merchants"]] == ["beta"]
    missing = run("registry", "show", "merchants", "gamma")
    assert (missing.returncode, missing.stdout) == (1, "")
    assert "no merchant 'gamma' is in force; see registry show merchants" in missing.stderr
    assert run("registry", "show", "wishes").returncode == 1


def test_apply_tells_what_it_did_as_one_document(run: Run, file: str) -> None:
    """Revision, changes, topics and warnings."""
    applied = document(run("registry", "apply", file, "--json"))
    assert applied["revision"] == 1
    assert len(applied["topics_created"]) == 13
    assert {change["change"] for change in applied["changes"]} == {"added"}


def test_topics_creates_what_is_missing_and_refuses_another_number_of_partitions(
    run: Run,
) -> None:
    """Of an existing topic nothing is changed."""
    made = document(run("topics", "--json"))
    assert all(topic["created"] for topic in made["topics"])
    again = run("topics", "--json")
    assert again.returncode == 0
    assert not any(topic["created"] for topic in document(again)["topics"])
    refused = run("topics", environ={"SCANWIRE_TOPIC_PARTITIONS": "3"})
    assert refused.returncode == 1
    assert "scan-events.v1 has 2 partitions and SCANWIRE_TOPIC_PARTITIONS says 3" in refused.stderr


def test_check_says_what_is_wrong_and_exits_one(run: Run, file: str) -> None:
    """Topics first, then the registry, then nothing."""
    before = document(run("check", "--json"))
    wrong = {found["subject"] for found in before["findings"] if not found["well"]}
    assert wrong == {"topics", "registry"}
    assert before["settings"]["SCANWIRE_TOPIC_PARTITIONS"] == "2"
    run("registry", "apply", file)
    after = run("check")
    assert after.returncode == 0
    assert "ok    registry: revision 1 is in force" in after.stdout
    assert (
        "SCANWIRE_LOG_LEVEL=info  # The least level that is logged. Default: info." in after.stdout
    )


def test_check_names_a_destinations_secret_that_cannot_be_resolved(run: Run, file: str) -> None:
    """By its reference, which is no secret."""
    Path(file).write_text(
        BASE + "destinations:\n  - {id: d, merchant: acme, kind: postgres, dsn: 'env:NO_SUCH'}\n"
    )
    run("registry", "apply", file)
    checked = run("check")
    assert checked.returncode == 1
    assert "WRONG destination/d: env:NO_SUCH: the environment variable NO_SUCH" in checked.stdout
    assert run("check", environ={"NO_SUCH": "postgresql://…"}).returncode == 0


def test_a_state_directory_that_is_a_file_is_wrong(run: Run, file: str) -> None:
    """The check names the setting to correct."""
    checked = run("check", environ={"SCANWIRE_STATE_DIRECTORY": f"{file}/below"})
    assert f"{file} cannot be written to; correct SCANWIRE_STATE_DIRECTORY" in checked.stdout


@pytest.mark.parametrize("arguments", [("registry", "show"), ("topics",), ("check",)])
def test_without_a_broker_each_command_says_so(run: Run, arguments: tuple[str, ...]) -> None:
    """No traceback, and what to correct."""
    done = run(*arguments, environ={"SCANWIRE_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1"})
    assert done.returncode == 1
    told = done.stdout + done.stderr
    assert "no Kafka at 127.0.0.1:1 answers and lets us in" in told
    assert "Traceback" not in told


def test_verbs_that_do_not_exist_are_usage(run: Run) -> None:
    """Exit code 2."""
    assert run("registry", "applaud").returncode == 2
    assert run("registry", "plan").returncode == 2
