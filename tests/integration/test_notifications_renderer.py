"""No template can stop the service: what takes too long or too much is killed, and the next letter is written anew."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import psutil
import pytest

from services.notifications.renderer import Renderer
from services.notifications.rendering import RenderRequest
from shared.runtime.child import READY, Fault
from shared.runtime.children import NotMade
from shared.runtime.frames import frame
from tests.builders import a_line, a_shop, an_order
from tests.plugins.waiting import eventually

ENDLESS = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
PatientRenderer = Callable[..., Renderer]


@pytest.fixture
async def renderer_of(tmp_path: Path) -> AsyncIterator[PatientRenderer]:
    """Call it with a template's plain-text body for a renderer whose only message, `probe`, has that body."""
    made: list[Renderer] = []

    def make(body: str, *, seconds: float = 30.0) -> Renderer:
        made.append(Renderer(seconds=seconds, folder=a_folder(tmp_path / str(len(made)), body)))
        return made[-1]

    yield make
    for renderer in made:
        await renderer.close()


def a_folder(folder: Path, body: str) -> Path:
    """A folder of templates with one message, `probe`, whose plain text is `body`."""
    (folder / "probe").mkdir(parents=True)
    files = {"subject.txt": "Order {{ order.number }}", "body.html": "<p>x</p>", "body.txt": body, "texts.toml": ""}
    for name, content in files.items():
        (folder / "probe" / name).write_text(content)
    (folder / "texts.toml").write_text("")
    return folder


def a_request(number: int = 1001, kind: str = "probe") -> RenderRequest:
    return RenderRequest(kind=kind, language="sv", order=an_order(number=number), shop=a_shop())


def renderers() -> list[psutil.Process]:
    """The rendering processes that this one has."""
    children = psutil.Process().children()
    return [child for child in children if "services.notifications.render_worker" in " ".join(child.cmdline())]


async def test_letters_come_from_one_warm_process(renderer_of: PatientRenderer) -> None:
    renderer = renderer_of("Order {{ order.number }}")
    letters = await asyncio.gather(*(renderer.render(a_request(number)) for number in range(1, 21)))
    assert [letter.text for letter in letters] == [f"Order {number}\n" for number in range(1, 21)]
    assert len(renderers()) == 1


async def test_the_real_templates_render_in_the_process_too() -> None:
    renderer = Renderer(seconds=30)
    order = an_order(lines=[a_line(name=f"Vara {number}") for number in range(1114)])
    request = RenderRequest(kind="order-received", language="fi", order=order, shop=a_shop())
    letter = await renderer.render(request)
    assert letter.subject == "Tilaus vastaanotettu: 1001 – Nordiska Tehuset"  # noqa: RUF001 - a real dash
    assert "Vara 1113" in letter.html
    await renderer.close()


async def test_an_endless_template_is_killed_and_the_next_letter_is_written(renderer_of: PatientRenderer) -> None:
    renderer = renderer_of("{% if order.number == '1' %}" + ENDLESS + "{% endif %}done", seconds=3)
    assert (await renderer.render(a_request())).text == "done\n"
    (before,) = renderers()
    with pytest.raises(NotMade, match="not made within 3 s"):
        await renderer.render(a_request(1))
    assert not before.is_running()
    assert (await renderer.render(a_request())).text == "done\n"
    assert len(renderers()) == 1


async def test_a_template_that_eats_memory_fails_and_the_process_goes_on(renderer_of: PatientRenderer) -> None:
    renderer = renderer_of("{% if order.number == '1' %}{{ 'x' * 9999999999 }}{% endif %}done")
    await renderer.render(a_request())
    (before,) = renderers()
    with pytest.raises(Fault, match="probe: MemoryError"):
        await renderer.render(a_request(1))
    assert (await renderer.render(a_request())).text == "done\n"
    assert renderers() == [before]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("{{ order.cart }}", "UndefinedError"),
        ("{{ order.lines.clear() }}", "SecurityError"),
        ("{% if %}", "TemplateSyntaxError"),
        ("{{ 1 / 0 }}", "ZeroDivisionError"),
        ("{{ text('nothing') }}", "KeyError"),
        ("{% include 'other.txt' %}", "TemplateNotFound"),
        ("{% macro a() %}{{ a() }}{% endmacro %}{{ a() }}", "RecursionError"),
    ],
)
async def test_a_broken_template_fails_with_its_reason(renderer_of: PatientRenderer, body: str, reason: str) -> None:
    renderer = renderer_of(body)
    for _ in range(2):
        with pytest.raises(Fault, match=f"probe: {reason}"):
            await renderer.render(a_request())


async def test_an_unknown_kind_of_message_fails_with_its_reason(renderer_of: PatientRenderer) -> None:
    with pytest.raises(Fault, match="nothing: FileNotFoundError"):
        await renderer_of("x").render(a_request(kind="nothing"))


async def test_a_process_that_dies_is_started_anew(renderer_of: PatientRenderer) -> None:
    renderer = renderer_of("done")
    await renderer.render(a_request())
    (process,) = renderers()
    process.kill()

    async def written() -> str | None:
        try:
            return (await renderer.render(a_request())).text
        except NotMade:
            return None

    assert await eventually(written) == "done\n"
    assert process not in renderers()


async def test_a_process_that_dies_while_it_writes_a_letter_fails_that_letter_only(
    renderer_of: PatientRenderer,
) -> None:
    renderer = renderer_of("{% if order.number == '1' %}" + ENDLESS + "{% endif %}done")
    await renderer.render(a_request())
    (process,) = renderers()
    writing = asyncio.create_task(renderer.render(a_request(1)))
    await eventually(lambda: process.cpu_percent() > 50, waiting_for="the endless template")
    process.kill()
    with pytest.raises(NotMade, match="died"):
        await writing
    assert (await renderer.render(a_request())).text == "done\n"


async def test_a_letter_that_is_no_longer_wanted_is_not_taken_for_the_next(renderer_of: PatientRenderer) -> None:
    renderer = renderer_of("{% if order.number == '1' %}" + ENDLESS + "{% endif %}{{ order.number }}")
    await renderer.render(a_request())
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await renderer.render(a_request(1))
    assert (await renderer.render(a_request(2))).text == "2\n"


async def test_the_process_inherits_no_environment(
    renderer_of: PatientRenderer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTIFICATIONS_SMTP_PASSWORD", "secret")
    renderer = renderer_of("done")
    await renderer.render(a_request())
    (process,) = renderers()
    assert set(process.environ()) <= {"PYTHONPATH", "PYTHONUTF8", "LC_CTYPE"}


async def test_a_signal_from_the_terminal_does_not_reach_the_process(renderer_of: PatientRenderer) -> None:
    renderer = renderer_of("done")
    await renderer.render(a_request())
    (process,) = renderers()
    assert os.getpgid(process.pid) != os.getpgid(0)
    assert os.getsid(process.pid) == process.pid


async def test_a_process_with_nobody_left_to_kill_it_ends_itself(tmp_path: Path) -> None:
    folder = a_folder(tmp_path / "templates", ENDLESS)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.notifications.render_worker", str(folder), "0.5"), stdin=PIPE, stdout=PIPE
    )
    assert process.stdin is not None
    process.stdin.write(frame(a_request().model_dump_json().encode()))
    assert await process.wait() == -signal.SIGALRM


async def test_a_process_ends_with_its_input(tmp_path: Path) -> None:
    folder = a_folder(tmp_path / "templates", "done")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.notifications.render_worker", str(folder), "9"), stdin=PIPE, stdout=PIPE
    )
    output, _ = await process.communicate(b"")
    assert output == frame(READY)
    assert process.returncode == 0
