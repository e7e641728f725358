"""Kafka's jars come from Maven once per version, into the cache; a folder of jars that is there is complete."""

import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

from deploy.local import system
from deploy.local.failure import LocalStackError
from deploy.local.folders import cache_folder, locked

_HERE = Path(__file__).parent
_POM = _HERE / "pom.xml"


def kafka_version() -> str:
    """The version that the pom names."""
    found = ET.parse(_POM).findtext(".//{*}kafka.version")  # noqa: S314 - our own file
    if not found:
        raise LocalStackError(f"{_POM} names no Kafka version.")
    return found


def jars_folder() -> Path:
    """The folder with the jars of Kafka and its tools; fetched by Maven when they are not in the cache."""
    cache = cache_folder()
    jars = cache / f"kafka-{kafka_version()}" / "jars"
    with locked(cache / "kafka.lock"):
        if not jars.exists():
            _fetch(jars)
    return jars


def java_command(heap: str, *options: str) -> list[str | Path]:
    """How to run a Java program that is in Kafka's jars: its class name and arguments follow."""
    log4j = f"-Dlog4j2.configurationFile={_HERE / 'log4j2.properties'}"
    return [system.find_java(), f"-Xmx{heap}", *options, log4j, "-cp", f"{jars_folder()}/*"]


def _fetch(jars: Path) -> None:
    system.find_java()
    maven = system.find_maven()
    print(f"Fetching Kafka {kafka_version()} with Maven (about 54 MB, once).", file=sys.stderr)  # noqa: T201
    half = jars.with_name("jars.half")
    shutil.rmtree(half, ignore_errors=True)
    half.mkdir(parents=True)
    goal = ["dependency:copy-dependencies", f"-DoutputDirectory={half}", "-DincludeScope=runtime"]
    command: list[str | Path] = [maven, "--batch-mode", "--quiet", "--strict-checksums", "--file", _POM, *goal]
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    if done.returncode:
        said = (done.stdout + done.stderr).strip()[-800:]
        raise LocalStackError(f"Maven could not fetch Kafka's jars; is a Maven repository reachable? It said:\n{said}")
    half.rename(jars)
