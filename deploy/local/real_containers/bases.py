"""The three base images: the real ones where they can be had, else stand-ins that say so in a label.

A stand-in takes the name of the image it stands for, and only where no real image has that name.
"""

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from deploy.local import system
from deploy.local.failure import LocalStackError
from deploy.local.kafka.jars import jars_folder
from deploy.local.real_containers.commands import run, succeeds
from deploy.local.real_containers.debian import mirror
from deploy.local.real_containers.engine import Engine

LABEL = "ordersystem.stands-in-for"
_DEBIAN = "ordersystem-stand-in/debian:trixie"
_IMAGES = Path(__file__).parent / "images"
_EXTRA_AUTHORITIES = Path("/usr/local/share/ca-certificates")
_STAND_INS = {"python:3.13-slim": "python", "postgres:17": "postgres", "apache/kafka:4.3.1": "kafka"}


def provide_bases(engine: Engine, tell: Callable[[str], None]) -> list[str]:
    """Have all three bases on the engine; returns the names of those that are stand-ins."""
    stand_ins = []
    for image, kind in _STAND_INS.items():
        if engine.has(image):
            if is_stand_in(engine, image):
                stand_ins.append(image)
            continue
        if succeeds(["docker", "pull", "--quiet", image], engine.env, within=300):
            tell(f"{image}: pulled")
            continue
        tell(f"{image}: cannot be pulled here, making a stand-in from Debian's packages")
        _make(engine, image, kind)
        stand_ins.append(image)
    return stand_ins


def is_stand_in(engine: Engine, image: str) -> bool:
    """Whether the image of that name is one of ours."""
    said = engine.docker("image", "inspect", "--format", f'{{{{index .Config.Labels "{LABEL}"}}}}', image)
    return said.strip() == image


def remove_stand_ins(engine: Engine, images: list[str]) -> None:
    """Remove stand-ins; an image that is not one is left."""
    for image in images:
        if engine.has(image) and is_stand_in(engine, image):
            engine.docker("image", "rm", "--force", image)


def _make(engine: Engine, image: str, kind: str) -> None:
    if not engine.has(_DEBIAN):
        _make_debian(engine)
    with tempfile.TemporaryDirectory() as name:
        context = Path(name)
        shutil.copytree(_IMAGES, context, dirs_exist_ok=True)
        if kind == "kafka":
            shutil.copytree(jars_folder(), context / "jars")
        if engine.has(image):
            raise LocalStackError(f"{image} has come to this engine meanwhile; it is not replaced by a stand-in.")
        words = ["build", "--network=host", "--quiet", "--label", f"{LABEL}={image}", "--tag", image]
        engine.docker(*words, "--file", context / f"{kind}.Dockerfile", context)


def _make_debian(engine: Engine) -> None:
    if shutil.which("mmdebstrap") is None:
        system.install(["mmdebstrap"])
    left_out = [f"--dpkgopt=path-exclude=/usr/share/{folder}/*" for folder in ("doc", "man", "locale")]
    with tempfile.TemporaryDirectory() as name:
        context = Path(name)
        words = ["--variant=minbase", "--include=ca-certificates", *left_out]
        run(["mmdebstrap", "--quiet", *words, "trixie", context / "root.tar", mirror()])
        authorities = context / "authorities"
        authorities.mkdir()
        for certificate in _EXTRA_AUTHORITIES.glob("*.crt"):
            shutil.copy(certificate, authorities)
        shutil.copy(_IMAGES / "debian.Dockerfile", context / "Dockerfile")
        engine.docker("build", "--network=host", "--quiet", "--tag", _DEBIAN, context)
