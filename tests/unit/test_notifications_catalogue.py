"""A message is complete in every language before anybody can send it."""

import re
import shutil
import tomllib
from pathlib import Path
from typing import Any

import pytest
from jinja2 import Environment, UndefinedError, nodes

from services.notifications.catalogue import CATALOGUE
from services.notifications.rendering import TEMPLATES, Rendering, RenderRequest
from services.notifications.written import Written
from shared.contracts.order import Delivery, Payment
from shared.contracts.values import Language
from shared.runtime.presentation.texts import LANGUAGES, Texts, TextsIncomplete, read_texts
from tests.builders import a_customer, a_line, a_shop, an_address, an_order

FULL: dict[str, Any] = {
    "lines": [a_line(discount=1000), a_line(article_number="")],
    "customer": a_customer(company="Öbergs Kafé AB"),
    "delivery_address": an_address(city="Uppsala"),
    "delivery": Delivery(method="parcel", name="Ombud", price=4900, pick_up_point="ICA Nära"),
    "payment": Payment(method="invoice", name="Faktura", cost=2900),
    "message": "Ring först!",
}


WORDS = {"status": "Skickad"}
WRITTEN = Written(headline="Om din order", text="Hej!")


@pytest.fixture
def templates(tmp_path: Path) -> Path:
    """A copy of all templates, to break."""
    return Path(shutil.copytree(TEMPLATES, tmp_path / "templates"))


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", CATALOGUE)
def test_every_message_renders_with_strict_undefined_in_every_language(kind: str, language: Language) -> None:
    for changes in (FULL, {}):
        order = an_order(language=language, **changes)
        request = RenderRequest(kind=kind, language=language, order=order, shop=a_shop(), written=WRITTEN, words=WORDS)
        letter = Rendering().letter(request)
        assert letter.subject
        assert "1001" in letter.text
        assert f'<html lang="{language}"' in letter.html


@pytest.mark.parametrize("kind", CATALOGUE)
def test_every_text_is_there_in_every_language_with_the_same_places(kind: str) -> None:
    assert set(read_texts(TEMPLATES, kind)) == set(LANGUAGES)


@pytest.mark.parametrize("kind", CATALOGUE)
def test_every_text_that_a_template_names_exists_and_none_is_left_over(kind: str) -> None:
    shared, own = TEMPLATES.glob("*.*"), (TEMPLATES / kind).glob("*.*")
    named = {key for path in (*shared, *own) if path.suffix in {".txt", ".html"} for key in texts_named_in(path)}
    assert named <= read_texts(TEMPLATES, kind)["sv"].keys()
    assert tomllib.loads((TEMPLATES / kind / "texts.toml").read_text()).keys() <= named


def test_a_missing_translation_is_found_when_the_texts_are_read(templates: Path) -> None:
    without(templates / "order-received" / "texts.toml", r'^fi = "Kiitos.*\n')
    with pytest.raises(TextsIncomplete, match="heading is missing in fi"):
        read_texts(templates, "order-received")


def test_an_empty_translation_counts_as_missing(templates: Path) -> None:
    changed(templates / "order-received" / "texts.toml", r'^en = "Thank.*$', 'en = " "')
    with pytest.raises(TextsIncomplete, match="heading is missing in en"):
        read_texts(templates, "order-received")


def test_a_text_in_a_language_that_nobody_speaks_is_refused(templates: Path) -> None:
    changed(templates / "order-received" / "texts.toml", r'^(en = "Thank.*)$', r'\1\nde = "Danke!"')
    with pytest.raises(TextsIncomplete, match="heading has a text in de"):
        read_texts(templates, "order-received")


def test_a_translation_that_forgets_a_place_is_found(templates: Path) -> None:
    changed(templates / "order-received" / "texts.toml", r'^fi = "Hei \{name\}!"$', 'fi = "Hei!"')
    with pytest.raises(TextsIncomplete, match="greeting has not the same places in fi"):
        read_texts(templates, "order-received")


def test_a_message_cannot_redefine_a_shared_text(templates: Path) -> None:
    with (templates / "order-received" / "texts.toml").open("a") as file:
        file.write('\n[vat]\nsv = "Skatt"\nfi = "Vero"\nen = "Tax"\n')
    with pytest.raises(TextsIncomplete, match="vat stands in several files"):
        read_texts(templates, "order-received")


def test_a_template_that_names_something_unknown_fails(templates: Path) -> None:
    (templates / "order-received" / "subject.txt").write_text("{{ order.personal_identity_number }}")
    with pytest.raises(UndefinedError, match="personal_identity_number"):
        Rendering(templates).letter(
            RenderRequest(kind="order-received", language="sv", order=an_order(), shop=a_shop())
        )


def test_values_are_put_into_a_text_once_and_never_read_as_places_themselves() -> None:
    assert Texts({"greeting": "Hej {name}!"})("greeting", name="{name} {0}") == "Hej {name} {0}!"


def test_a_place_without_a_value_is_an_error_and_not_a_hole() -> None:
    with pytest.raises(LookupError):
        Texts({"greeting": "Hej {name}!"})("greeting")


def texts_named_in(path: Path) -> set[str]:
    """The keys of all `text("…")` calls of a template."""
    tree = Environment(autoescape=True).parse(path.read_text())
    return {
        call.args[0].value
        for call in tree.find_all(nodes.Call)
        if isinstance(call.node, nodes.Name) and call.node.name == "text" and isinstance(call.args[0], nodes.Const)
    }


def without(path: Path, pattern: str) -> None:
    """Removes what matches, which must be there."""
    changed(path, pattern, "")


def changed(path: Path, pattern: str, by: str) -> None:
    """Replaces what matches, which must be there."""
    text, count = re.subn(pattern, by, path.read_text(), count=1, flags=re.MULTILINE)
    assert count == 1
    path.write_text(text)
