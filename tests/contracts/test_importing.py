"""Declaring connects to nothing: any module can be imported without a network and without settings."""

import subprocess
import sys

from shared.ops.contract_files import ROOT

IMPORT_EVERYTHING = """
import importlib, pkgutil, sys

def refuse(event, arguments):
    if event.startswith("socket."):
        raise RuntimeError(f"{event} while importing")

sys.addaudithook(refuse)
PLANTED
for name in ("shared", "services"):
    package = importlib.import_module(name)
    for module in pkgutil.walk_packages(package.__path__, name + "."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
            print(module.name)
"""


def importing(planted: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - our own code
        [sys.executable, "-c", IMPORT_EVERYTHING.replace("PLANTED", planted)],
        cwd=ROOT,
        env={},
        capture_output=True,
        text=True,
        check=False,
    )


def test_importing_any_module_opens_no_socket_and_needs_no_environment() -> None:
    done = importing()
    assert done.returncode == 0, done.stderr
    assert "shared.contracts.message" in done.stdout
    assert "services.orders" in done.stdout


def test_a_socket_opened_while_importing_is_found_out() -> None:
    done = importing("import socket; socket.socket()")
    assert done.returncode != 0
    assert "socket.__new__ while importing" in done.stderr
