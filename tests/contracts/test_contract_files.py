"""What is committed of the contracts cannot drift from the code: tried on a copy of the project, with its own git."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from shared.ops.contract_files import ROOT

ORDER = "shared/contracts/order.py"
EVENTS = "shared/contracts/order_events.py"
SCHEMAS = "shared/contracts/schemas"
EXAMPLES = "shared/contracts/examples"
WITH_LINES = sorted(
    path.stem for path in (ROOT / "shared/contracts/schemas").glob("*.json") if '"maxItems": 2000' in path.read_text()
)
NOT_YET_READ = [word for type_ in WITH_LINES for word in ("--new-type", type_)]


class Checkout:
    """A copy of the project's contracts in a git repository of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        shutil.copytree(ROOT / "shared", folder / "shared", ignore=shutil.ignore_patterns("__pycache__"))
        (folder / "docs").mkdir()
        shutil.copy(ROOT / "docs" / "asyncapi.json", folder / "docs")
        self.git("init", "-q")
        self.commit()

    def git(self, *arguments: str) -> None:
        names = ("-c", "user.name=A", "-c", "user.email=a@tehuset.example", "-c", "commit.gpgsign=false")
        subprocess.run(["git", *names, *arguments], cwd=self.folder, check=True)  # noqa: S603, S607 - ours

    def commit(self) -> None:
        self.git("add", "-A")
        self.git("commit", "-q", "-m", "as it is")

    def replace(self, file: str, old: str, new: str) -> None:
        text = (self.folder / file).read_text("utf-8")
        assert text.count(old) == 1
        (self.folder / file).write_text(text.replace(old, new), "utf-8")

    def contracts(self, *arguments: str) -> tuple[int, str]:
        """The exit code of `contracts …` there, and what it printed."""
        done = subprocess.run(  # noqa: S603 - our own command
            [sys.executable, "-c", "from shared.ops.contracts import app; app()", *arguments],
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


def test_the_committed_files_are_as_the_code_says(checkout: Checkout) -> None:
    assert checkout.contracts("check")[0] == 0
    assert checkout.contracts("write") == (0, "")


def test_every_difference_fails_the_check_and_is_named(checkout: Checkout) -> None:
    checkout.replace(f"{SCHEMAS}/order.placed.v1.json", '"title": "order.placed.v1"', '"title": "x"')
    (checkout.folder / SCHEMAS / "order.noted.v1.json").unlink()
    (checkout.folder / SCHEMAS / "order.gone.v1.json").write_text("{}")
    checkout.replace(f"{EXAMPLES}/message.sent.v1.json", '"outcome"', '"more": 1, "outcome"')
    checkout.replace("docs/asyncapi.json", '"title": "Order system: topics and messages"', '"title": ""')
    code, said = checkout.contracts("check")
    assert code == 1
    assert f"{SCHEMAS}/order.placed.v1.json: differs" in said
    assert f"{SCHEMAS}/order.noted.v1.json: missing" in said
    assert f"{SCHEMAS}/order.gone.v1.json: there is no contract" in said
    assert f"{EXAMPLES}/message.sent.v1.json: differs" in said
    assert "docs/asyncapi.json: differs" in said


def test_an_example_that_its_contract_cannot_read_is_mended_by_a_person(checkout: Checkout) -> None:
    checkout.replace(f"{EXAMPLES}/message.sent.v1.json", '"outcome": "done"', '"outcome": "well"')
    for command in ("check", "write"):
        code, said = checkout.contracts(command)
        assert code == 1
        assert f"{EXAMPLES}/message.sent.v1.json: does not fit its contract: outcome" in said


def test_a_new_optional_field_is_written_into_schema_and_example(checkout: Checkout) -> None:
    checkout.replace(ORDER, '    reference: Line = ""\n', '    reference: Line = ""\n    gift: bool = False\n')
    assert checkout.contracts("check")[0] == 1
    assert checkout.contracts("write")[0] == 0
    assert checkout.contracts("check")[0] == 0
    assert '"gift": false' in (checkout.folder / EXAMPLES / "order.placed.v1.json").read_text()


def test_a_break_of_a_published_type_writes_nothing(checkout: Checkout) -> None:
    before = (checkout.folder / SCHEMAS / "order.placed.v1.json").read_text()
    checkout.replace(ORDER, '    reference: Line = ""\n', "    reference: Line\n")
    code, said = checkout.contracts("write")
    assert code == 1
    assert "order.placed.v1: data.order.reference: now required" in said
    assert (checkout.folder / SCHEMAS / "order.placed.v1.json").read_text() == before


def test_a_break_written_by_hand_fails_the_check(checkout: Checkout) -> None:
    checkout.replace(ORDER, "MAX_LINES = 2_000", "MAX_LINES = 2_001")
    assert checkout.contracts("write", *NOT_YET_READ)[0] == 0
    assert checkout.contracts("check", *NOT_YET_READ)[0] == 0
    code, said = checkout.contracts("check")
    assert code == 1
    assert "maxItems 2000 became 2001" in said


def test_a_release_is_what_counts_as_published(checkout: Checkout) -> None:
    checkout.git("tag", "v0.1.0")
    checkout.replace(ORDER, "MAX_LINES = 2_000", "MAX_LINES = 2_001")
    assert checkout.contracts("write", *NOT_YET_READ)[0] == 0
    checkout.commit()
    assert "maxItems 2000 became 2001" in checkout.contracts("check")[1]
    assert checkout.contracts("check", "--against", "HEAD")[0] == 0
    assert "git knows no v9" in checkout.contracts("check", "--against", "v9")[1]


def test_a_contract_that_is_gone_was_a_promise(checkout: Checkout) -> None:
    text = (checkout.folder / EVENTS).read_text()
    before, _, rest = text.partition("class ConfirmationRequested")
    (checkout.folder / EVENTS).write_text(before + "class" + rest.partition("\nclass")[2])
    code, said = checkout.contracts("write")
    assert code == 1
    assert "order.confirmation-requested.v1: the contract is gone" in said
    assert checkout.contracts("write", "--new-type", "order.confirmation-requested.v1")[0] == 0
    assert not (checkout.folder / SCHEMAS / "order.confirmation-requested.v1.json").exists()


def test_a_new_contract_gets_a_schema_and_a_first_example(checkout: Checkout) -> None:
    with (checkout.folder / EVENTS).open("a") as file:
        file.write(
            '\n\nclass OrderPraised(OrderEvent, type="order.praised.v1"):\n'
            '    """The customer liked it."""\n\n    content: Literal["well", "very-well"]\n    stars: int\n'
        )
    code, said = checkout.contracts("write")
    assert (code, "wrote shared/contracts/examples/order.praised.v1.json" in said) == (0, True), said
    shown = checkout.contracts("show", "order.praised.v1")[1]
    assert "The customer liked it." in shown
    assert '"content": "well"' in shown
    assert "order.praised.v1" in checkout.contracts("list")[1]
