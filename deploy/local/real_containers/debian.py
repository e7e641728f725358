"""Packages of another Debian suite are unpacked in a folder of their own; what is installed is not touched."""

import re
import shutil
from pathlib import Path
from types import TracebackType
from typing import Self

from deploy.local.failure import LocalStackError
from deploy.local.real_containers.commands import run

_SOURCES = (Path("/etc/apt/sources.list.d"), Path("/etc/apt/sources.list"))
_KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


def mirror() -> str:
    """The address that this machine's own apt takes Debian's packages from."""
    files = [*sorted(_SOURCES[0].glob("*.sources")), *sorted(_SOURCES[0].glob("*.list")), _SOURCES[1]]
    for file in files:
        if file.exists():
            found = re.search(r"^(?:URIs:\s*|deb\s+(?:\[[^]]*\]\s+)?)(\S+/debian)/?\s", file.read_text(), re.MULTILINE)
            if found:
                return found.group(1)
    raise LocalStackError("This machine's apt names no Debian mirror: real containers need one, or a running engine.")


class Suite:
    """The packages of one suite, in `folder` while it is open."""

    def __init__(self, suite: str, folder: Path) -> None:
        self._suite = suite
        self._folder = folder
        lists = {"Dir::Etc::SourceList": "sources.list", "Dir::State::Lists": "lists", "Dir::Cache": "cache"}
        options = {name: str(folder / place) for name, place in lists.items()}
        options |= {"Dir::Etc::SourceParts": "/dev/null", "APT::Sandbox::User": "root"}
        self._apt = ["apt-get", "-qq", *(word for name, value in options.items() for word in ("-o", f"{name}={value}"))]

    def __enter__(self) -> Self:
        for place in ("lists/partial", "cache/archives/partial", "packages"):
            (self._folder / place).mkdir(parents=True, exist_ok=True)
        source = f"deb [signed-by={_KEYRING}] {mirror()} {self._suite} main\n"
        (self._folder / "sources.list").write_text(source)
        run([*self._apt, "update"])
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        shutil.rmtree(self._folder)

    def file(self, package: str, name: str) -> Path:
        """A program of that name from the package, unpacked."""
        unpacked = self._folder / "unpacked" / package
        run([*self._apt, "download", package], cwd=self._folder / "packages")
        [archive] = (self._folder / "packages").glob(f"{package}_*.deb")
        unpacked.mkdir(parents=True)
        run(["dpkg", "-x", archive, unpacked])
        found = [path for path in unpacked.rglob(name) if path.is_file() and path.stat().st_mode & 0o100]
        if not found:
            raise LocalStackError(f"Debian's package {package} has no program {name}.")
        return found[0]
