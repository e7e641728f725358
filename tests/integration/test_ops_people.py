"""People of the back office are made by a command, given roles and passwords, and let in no more."""

import asyncpg
import pytest

from services.backoffice.ops import MIGRATIONS
from shared.runtime.actors import Actors, Signer
from shared.runtime.migrations import migrate
from tests.plugins.operator import ops

EMAIL = "maria@example.org"


@pytest.fixture
async def database(database_url: str) -> tuple[str, str]:
    connection = await asyncpg.connect(database_url)
    await migrate(connection, MIGRATIONS)
    await connection.close()
    return ("-d", f"backoffice={database_url}")


async def test_the_first_person_is_made_and_looked_after(database: tuple[str, str]) -> None:
    make = ("people", "make", EMAIL, "--name", "Maria Ek", "--role", "nordic-tea=administrator", *database)
    made = await ops(*make, says="a long enough one\na long enough one\n")
    assert made.code == 0, made.err
    (listed,) = (await ops("people", "list", *database, "--json")).document
    assert (listed["email"], listed["name"]) == (EMAIL, "Maria Ek")
    assert listed["roles"] == {"nordic-tea": "administrator"}
    assert made.out.strip().endswith(listed["id"])
    assert "argon2" not in (await ops("people", "list", *database)).out

    assert (await ops("people", "role", EMAIL, "--role", "nordic-tea=", "--role", "*=operator", *database)).code == 0
    (listed,) = (await ops("people", "list", *database, "--json")).document
    assert listed["roles"] == {"*": "operator"}
    assert (await ops("people", "password", EMAIL, "--password", "another long one", *database)).code == 0
    assert (await ops("people", "disable", EMAIL, *database)).code == 0
    (listed,) = (await ops("people", "list", *database, "--json")).document
    assert listed["disabled_at"] is not None


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--role", "nordic-tea=boss", "--password", "long enough ever"), "there is no role boss"),
        (("--role", "nordic-tea=operator", "--password", "long enough ever"), "an operator is one of all shops"),
        (("--role", "nordic-tea=viewer", "--password", "short"), "expected 10 to 200 characters"),
    ],
)
async def test_what_cannot_be_is_refused_with_a_reason(
    database: tuple[str, str], words: tuple[str, ...], said: str
) -> None:
    answer = await ops("people", "make", EMAIL, "--name", "Maria Ek", *words, *database)
    assert (answer.code, said in answer.err) == (1, True), answer.err
    assert (await ops("people", "list", *database, "--json")).document == []
    assert (await ops("people", "disable", EMAIL, *database)).code == 1


async def test_a_new_key_fits_its_public_half() -> None:
    said = dict(line.split("=", 1) for line in (await ops("people", "new-key")).out.split())
    token = Signer(said["BACKOFFICE_ACTOR_KEY"]).sign("orders", "1", "nordic-tea", ["viewer"])
    assert Actors("orders", [said["ACTOR_KEYS"]]).caller(token) is not None
