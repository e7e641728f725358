"""Typst alone: `python -m benchmarks.bare_typst PAGE ROOT DATA` sets a page once for each line of DATA, and keeps none.

The first line warms it up; then it says how many seconds the others took, by the clock and of CPU.
"""

import sys
import time
from pathlib import Path

import typst

from services.documents.typesetting import STANDARDS


def run(page: str, root: str, data: str) -> tuple[float, float]:
    """Seconds by the clock, and of CPU."""
    compiler = typst.Compiler(page, root=root, ignore_system_fonts=True)
    first, *others = Path(data).read_text().splitlines()
    _set(compiler, first)
    began, used = time.perf_counter(), time.process_time()
    for each in others:
        _set(compiler, each)
    return time.perf_counter() - began, time.process_time() - used


def _set(compiler: typst.Compiler, data: str) -> None:
    compiler.compile(format="pdf", sys_inputs={"data": data}, pdf_standards=[*STANDARDS])


if __name__ == "__main__":
    print(*run(*sys.argv[1:]))
