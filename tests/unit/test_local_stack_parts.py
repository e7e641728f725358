"""What the local stack does before anything runs: find programs, find folders, take ports."""

import os
import socket
from dataclasses import replace
from pathlib import Path

import pytest

from deploy.local import folders, system
from deploy.local.failure import LocalStackError, MissingProgramError
from deploy.local.folders import locked_or_busy, reachable_folder
from deploy.local.ports import HOST, RememberedPorts, is_free, release_port, take_port
from deploy.local.processes import Process, recall, remember, start_process


@pytest.fixture
def nothing_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("ORDERSYSTEM_INSTALL", "never")
    monkeypatch.delenv("JAVA_HOME", raising=False)


@pytest.mark.usefixtures("nothing_installed")
def test_a_missing_program_is_named_with_the_way_out() -> None:
    with pytest.raises(MissingProgramError, match=r"^Maven is not on this machine: install it \(maven on Debian and"):
        system.find_maven()
    with pytest.raises(MissingProgramError, match=r"^Java 17 or later is not on this machine: install it"):
        system.find_java()
    [said] = system.install_test_tools()
    assert said == "The tests that need kcat and chromium will be skipped: packages may not be installed here."


@pytest.mark.usefixtures("nothing_installed")
def test_a_java_that_is_too_old_is_as_good_as_none(tmp_path: Path) -> None:
    java = tmp_path / "java"
    java.write_text("#!/bin/sh\necho 'openjdk version \"11.0.2\" 2019-01-15' >&2\n")
    java.chmod(0o755)
    with pytest.raises(MissingProgramError, match="Java 17 or later"):
        system.find_java()
    java.write_text("#!/bin/sh\necho 'openjdk version \"21.0.2\" 2024-01-16' >&2\n")
    assert system.find_java() == java


def test_a_port_in_use_is_passed_over_and_a_reserved_one_too() -> None:
    with socket.socket() as occupied:
        occupied.bind((HOST, 0))
        occupied.listen()
        port = occupied.getsockname()[1]
        assert not is_free(port)
        taken = take_port(port)
        assert taken != port
        assert take_port(taken) != taken, "nothing listens there yet, but it is promised"
        release_port(taken)
        assert take_port(taken) == taken


def test_the_ports_of_the_last_run_are_taken_again(tmp_path: Path) -> None:
    said: list[str] = []
    first = RememberedPorts(tmp_path / "ports.json", said.append)
    port = first.take("kafka", take_port())
    first.release()
    again = RememberedPorts(tmp_path / "ports.json", said.append)
    assert again.take("kafka", 1) == port
    third = RememberedPorts(tmp_path / "ports.json", said.append)
    other = third.take("kafka", 1)
    assert said[-1] == f"Port {port} is in use: kafka takes {other}."


def test_a_file_of_ports_that_is_broken_is_as_good_as_none(tmp_path: Path) -> None:
    (tmp_path / "ports.json").write_text('{"kafka": "many"')
    wanted = take_port()
    release_port(wanted)
    assert RememberedPorts(tmp_path / "ports.json", print).take("kafka", wanted) == wanted


def test_a_folder_that_another_user_cannot_reach_is_stood_for_by_one_of_the_system(tmp_path: Path) -> None:
    assert reachable_folder(tmp_path, None) == tmp_path
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    stands_for_it = reachable_folder(closed / "data", "nobody")
    assert closed not in stands_for_it.parents
    assert stands_for_it == reachable_folder(closed / "data", "nobody")


def test_what_stands_for_a_deleted_checkout_goes_unless_a_server_runs_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folders, "_SYSTEM_STATE", tmp_path / "system")
    places = {}
    for name in ("kept", "deleted", "running"):
        checkout = tmp_path / name
        checkout.mkdir(mode=0o700)
        places[name] = reachable_folder(checkout / "data", "nobody")
        places[name].mkdir()
        folders.note_stand_in(checkout / "data", places[name])
    (places["running"] / "postmaster.pid").touch()
    (tmp_path / "deleted").rmdir()
    (tmp_path / "running").rmdir()
    folders.forget_orphans()
    assert {name: place.exists() for name, place in places.items()} == {"kept": True, "deleted": False, "running": True}


def test_a_stack_that_runs_is_not_started_twice(tmp_path: Path) -> None:
    with (
        locked_or_busy(tmp_path / "stack.lock"),
        pytest.raises(LocalStackError, match=r"is running already \(pid \d+\)"),
        locked_or_busy(tmp_path / "stack.lock"),
    ):
        pass


def test_a_pid_that_another_process_has_by_now_is_never_taken_for_ours() -> None:
    this = Process.by_pid("this test", os.getpid())
    assert this is not None
    assert this.alive()
    assert not replace(this, began=this.began - 3600).alive()
    assert not replace(this, command=["something", "else"]).alive()


async def test_a_process_is_found_again_by_what_was_written_down(tmp_path: Path) -> None:
    assert recall(tmp_path / "sleeper.json") is None
    running = start_process("sleeper", ["sleep", "60"], tmp_path / "log")
    remember(running, tmp_path / "sleeper.json")
    assert recall(tmp_path / "sleeper.json") == running
    await running.stop(within=5)
    assert recall(tmp_path / "sleeper.json") is None
