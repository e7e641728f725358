"""The settings in a real browser, in three languages: worked with keys, without scripts, at every width."""

import re
from typing import Any
from uuid import uuid4

import pytest
from playwright.async_api import Browser, Page, expect

from tests.integration.test_backoffice_in_a_browser import faults, sideways
from tests.integration.test_backoffice_settings import settings_of
from tests.plugins.backoffice import PASSWORD, SHOP, Backoffice, Window, window

ADMINISTRATOR, OPERATOR = "administrator@example.org", "operator@example.org"
FOLDERS = [{"id": "to-pack", "name": "Att packa"}, {"id": "abroad", "name": "Utland"}]
LONG = "Väänänen-Korhonen " * 8
CUT = """() => [...document.querySelectorAll("main *")]
  .filter(each => each.checkVisibility() && !each.closest(".hidden, datalist, option")
    && getComputedStyle(each).overflowX !== "visible" && each.scrollWidth > each.clientWidth + 1
    && !["INPUT", "TEXTAREA", "SELECT"].includes(each.tagName))
  .map(each => `${each.tagName}.${each.className}`)"""
"""What is cut by its own box."""


@pytest.fixture(autouse=True)
async def fresh(backoffice: Backoffice) -> None:
    """The shop as every test begins with it."""
    await backoffice.system.open_a_shop(folders=FOLDERS)


async def as_operator(opened: Window) -> Page:
    """An operator who has chosen the shop."""
    await opened.page.goto("/shops")
    await opened.page.fill("#shop", SHOP)
    await opened.page.click("main button.primary")
    await opened.page.wait_for_url("**/orders")
    return opened.page


def row(page: Page, text: str) -> Any:
    """The row of a list that says this."""
    return page.locator(".row", has_text=text)


@pytest.mark.requirement("R034", "R039")
@pytest.mark.parametrize(
    ("language", "edit", "up", "said"),
    [
        ("sv", "Ändra", "Flytta upp", "Statusen är sparad."),
        ("fi", "Muokkaa", "Siirrä ylös", "Tila on tallennettu."),
        ("en", "Edit", "Move up", "The status is saved."),
    ],
)
async def test_a_status_is_renamed_and_moved_with_keys(
    browser: Browser, backoffice: Backoffice, language: str, edit: str, up: str, said: str
) -> None:
    async with window(browser, backoffice, ADMINISTRATOR, language=language) as opened:
        page = opened.page
        await page.goto("/settings/statuses")
        await row(page, "Plockad").get_by_role("link", name=edit).click()
        await expect(page.get_by_label("Svenska")).to_be_focused()
        await page.keyboard.press("End")
        await page.keyboard.type(" klar")
        await page.keyboard.press("Enter")
        await expect(page.locator(".notice.good")).to_have_text(said)
        mine = row(page, "Plockad klar")
        step = mine.get_by_role("button", name=re.compile(up))
        await step.focus()
        await page.keyboard.press("Alt+ArrowDown")
        await expect(page.locator("#catalogue-internal .row").nth(2)).to_contain_text("Plockad klar")
        await expect(page.locator("#catalogue-internal .row").nth(2).locator("[data-step=down]")).to_be_focused()
        await page.keyboard.press("Alt+ArrowUp")
        await page.keyboard.press("Alt+ArrowUp")
        await expect(page.locator("#catalogue-internal .row").first).to_contain_text("Plockad klar")
        assert opened.complaints == []


@pytest.mark.requirement("R005")
@pytest.mark.parametrize(
    ("language", "new", "add", "delete", "gone"),
    [
        ("sv", "Ny mapp", "Lägg till mapp", "Ta bort", "Mappen är borttagen."),
        ("fi", "Uusi kansio", "Lisää kansio", "Poista", "Kansio on poistettu."),
        ("en", "New folder", "Add the folder", "Delete", "The folder is deleted."),
    ],
)
async def test_a_folder_is_made_seen_beside_the_list_and_deleted(
    browser: Browser, backoffice: Backoffice, language: str, new: str, add: str, delete: str, gone: str
) -> None:
    async with window(browser, backoffice, ADMINISTRATOR, language=language) as opened:
        page = opened.page
        await page.goto("/settings/folders")
        await page.get_by_label(new).fill("Till affären")
        await page.get_by_role("button", name=add).click()
        await row(page, "Till affären").locator("[data-step=up]").click()
        await expect(page.locator(".row").nth(1)).to_contain_text("Till affären")
        await page.goto("/orders")
        await expect(page.locator("#side")).to_contain_text("Till affären")
        await page.goto("/settings/folders")
        await row(page, "Till affären").get_by_role("button", name=delete).click()
        await expect(page.locator(".notice.good")).to_have_text(gone)
        assert [each["id"] for each in (await settings_of(backoffice))["folders"]] == ["to-pack", "abroad"]
        assert opened.complaints == []


@pytest.mark.requirement("R083")
@pytest.mark.parametrize(
    ("language", "add", "save", "sign_in"),
    [
        ("sv", "Lägg till användare", "Spara lösenordet", "Logga in"),
        ("fi", "Lisää käyttäjä", "Tallenna salasana", "Kirjaudu sisään"),
        ("en", "Add the user", "Save the password", "Sign in"),
    ],
)
async def test_somebody_new_gets_a_link_chooses_a_password_and_comes_in(
    browser: Browser, backoffice: Backoffice, language: str, add: str, save: str, sign_in: str
) -> None:
    email = f"{uuid4()}@example.org"
    async with window(browser, backoffice, ADMINISTRATOR, language=language) as opened:
        page = opened.page
        await page.goto("/settings/people")
        await page.fill("#new-name", "Åsa Öberg")
        await page.fill("#new-email", email)
        await page.check("input[name=role][value=viewer]")
        await page.get_by_role("button", name=add).click()
        link = await page.locator("#once").input_value()
        assert await sideways(page) == 0
        assert await faults(page) == []
        assert opened.complaints == []
    async with window(browser, backoffice, language=language, width=390) as opened:
        page = opened.page
        await page.goto(link)
        assert (await sideways(page), await faults(page)) == (0, [])
        await page.fill("#password", PASSWORD)
        await page.fill("#again", PASSWORD)
        await page.get_by_role("button", name=save).click()
        await page.get_by_role("link", name=sign_in).click()
        await page.fill("#email", email)
        await page.fill("#password", PASSWORD)
        await page.keyboard.press("Enter")
        await page.wait_for_url("**/orders")
        assert await page.locator("a[href='/settings']").count() == 0
        await page.goto(link)
        assert await page.locator("#password").count() == 0


@pytest.mark.requirement("R083")
@pytest.mark.parametrize(
    ("language", "make", "copy", "copied", "revoke"),
    [
        ("sv", "Skapa nyckel", "Kopiera", "Kopierat", "Återkalla"),
        ("fi", "Luo avain", "Kopioi", "Kopioitu", "Peru"),
        ("en", "Make a token", "Copy", "Copied", "Revoke"),
    ],
)
async def test_a_token_is_made_copied_and_revoked(
    browser: Browser, backoffice: Backoffice, language: str, make: str, copy: str, copied: str, revoke: str
) -> None:
    rights: dict[str, Any] = {"permissions": ["clipboard-read", "clipboard-write"]}
    async with window(browser, backoffice, ADMINISTRATOR, language=language, **rights) as opened:
        page, name = opened.page, f"Shop front {uuid4().hex[:8]}"
        await page.goto("/settings/tokens")
        await page.locator("#service-documents").get_by_role("link", name=make).click()
        await expect(page.locator("#token-name")).to_be_focused()
        await page.fill("#token-name", name)
        await page.check("input[value='documents:read']")
        await page.locator("#service-documents").get_by_role("button", name=make).click()
        token = await page.locator("#once").input_value()
        assert token.startswith("ot_")
        await page.get_by_role("button", name=copy).click()
        await page.get_by_role("button", name=copied).wait_for()
        assert await page.evaluate("navigator.clipboard.readText()") == token
        assert await faults(page) == []
        await page.goto("/settings/tokens")
        await row(page, name).get_by_role("link", name=revoke).click()
        await row(page, name).get_by_role("button", name=revoke).click()
        await expect(page.locator(".notice.good")).to_be_visible()
        await expect(page.locator(".rows", has_text=name)).to_have_count(0)
        assert opened.complaints == []


@pytest.mark.requirement("R082")
async def test_an_operator_switches_a_feature_on_and_opens_the_shop(browser: Browser, backoffice: Backoffice) -> None:
    async with window(browser, backoffice, OPERATOR) as opened:
        page = opened.page
        await page.goto("/settings/shops")
        await row(page, "Nordiska Tehuset").get_by_role("link", name="Ändra funktioner").click()
        await page.get_by_label("Fler funktioner").fill("order-editing")
        await page.get_by_role("button", name="Spara").click()
        await expect(row(page, "Nordiska Tehuset").locator(".tag.follow")).to_have_text("order-editing")
        await row(page, "Nordiska Tehuset").get_by_role("button", name="Öppna butiken").click()
        await page.wait_for_url("**/orders")
        assert opened.complaints == []


async def test_without_scripts_statuses_move_and_the_shop_is_saved(browser: Browser, backoffice: Backoffice) -> None:
    async with window(browser, backoffice, ADMINISTRATOR, java_script_enabled=False) as opened:
        page = opened.page
        await page.goto("/settings/statuses")
        await row(page, "Plockad").locator("[data-step=up]").click()
        await expect(page.locator("#catalogue-internal .row").first).to_contain_text("Plockad")
        await page.goto("/settings/shop")
        await page.fill("#f-name", "Teboden")
        await page.get_by_role("button", name="Spara").click()
        await page.get_by_text("Inställningarna är sparade.").wait_for()
        assert (await settings_of(backoffice))["name"] == "Teboden"


@pytest.mark.parametrize("width", [390, 1440])
@pytest.mark.parametrize("language", ["sv", "fi", "en"])
async def test_no_page_of_the_settings_is_cut_and_everybody_can_use_it(
    browser: Browser, backoffice: Backoffice, width: int, language: str
) -> None:
    roles = {SHOP: "handler", "s" * 60: "viewer"}
    person = await backoffice.add(f"{uuid4().hex * 2}@example.org", roles, name=LONG[:150])
    await backoffice.system.open_a_shop(folders=[*FOLDERS, {"id": "long", "name": LONG}], features=["f" * 60])
    addresses = (
        "/settings/shop",
        "/settings/statuses?edit=order:shipped",
        "/settings/statuses?add=line",
        "/settings/folders?edit=abroad",
        f"/settings/people?edit={person}",
        "/settings/people?all=true",
        "/settings/tokens?add=orders",
        f"/settings/shops?edit={SHOP}",
        "/set-password?key=nonsense",
    )
    async with window(browser, backoffice, OPERATOR, width=width, language=language) as opened:
        page = await as_operator(opened)
        for address in addresses:
            await page.goto(address)
            assert await sideways(page) == 0, address
            assert await page.evaluate(CUT) == [], address
            assert await faults(page) == [], address
