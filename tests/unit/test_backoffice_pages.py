"""What pages are made of: addresses of the list, languages, and texts that are there for every place that says them."""

import hashlib
import re
import tomllib
from collections.abc import Iterable, Mapping
from typing import Any, get_args

import pytest
from pydantic import ValidationError

from services.backoffice.looks import HERE, LANGUAGE_NAMES, Looks
from services.backoffice.order_deeds import ANSWERS, DEEDS, SYSTEMS, NotSo, amount_of
from services.backoffice.order_list import DOCUMENTS, PAYMENTS, PROCESSING
from services.backoffice.order_log import DEEPEST, KINDS, Branch, LogEntry, as_tree, causes
from services.backoffice.order_sheet import WORRIES
from services.backoffice.orders import Catalogue
from services.backoffice.payments import STATES
from services.backoffice.settings import BackofficeSettings
from services.backoffice.visiting import Form, inside, preferred
from services.backoffice.wanted import NotADay, Wanted, of_view
from services.integrations.calling import Word
from services.integrations.connections import Capture, Kind
from services.integrations.health import State
from services.orders.answers import REFUSALS
from services.orders.domain.troubles import Kind as Trouble
from services.orders.sentences import TEXTS as SENTENCES
from shared.contracts.files import DocumentKind
from shared.contracts.order import Goods, ReturnState, ShipmentState, UnitState
from shared.contracts.order_log import Outcome
from shared.contracts.shop_facts import Status
from shared.runtime.actors import PersonRole, new_key
from shared.runtime.presentation.texts import LANGUAGES
from tests.builders import a_shop, an_order

SAID = re.compile(r"say\(\"([a-z0-9-]+)\"(?! ~)")


def test_every_text_that_a_template_says_is_there_and_every_text_is_said() -> None:
    templates = {path.name: path.read_text() for path in (HERE / "templates").glob("*.html")}
    known = Looks(https=True).texts["en"].keys()
    said = {key for text in templates.values() for key in SAID.findall(text)}
    assert said - known == set()
    made = {f"role-{role}" for role in PersonRole}
    made |= {f"processing-{each}" for each in PROCESSING} | {f"payment-{each}" for each in PAYMENTS}
    made |= {f"document-{each}" for each in DOCUMENTS}
    made |= words_of_an_order() | words_of_integrations()
    assert made - known == set()
    assert {key for key in known - said - made if not key.startswith("problem-")} == set()


def words_of_an_order() -> set[str]:
    """Every text of an order's page whose name is put together from what a service says."""
    forms = {name for name, deed in DEEDS.items() if not deed.in_place}
    messages = ("order-received", "order-status", "message-about-order")
    families: Mapping[str, Iterable[str]] = {
        "do": forms - {"process"},
        "about": forms,
        "did": DEEDS,
        "settle": ANSWERS,
        "goods": get_args(Goods),
        "unit": get_args(UnitState),
        "shipment": get_args(ShipmentState),
        "return": get_args(ReturnState),
        "kind": ("digital", "service"),
        "kind-of": KINDS,
        "outcome": set(get_args(Outcome)) - {"done"},
        "message": ("sent", "failed", "unknown"),
        "promise": WORRIES,
        "what": (*messages, *get_args(DocumentKind), "authorize", *SYSTEMS),
        "step": ("added-to-cart", "removed-from-cart", "chose-delivery", "chose-payment", "went-to-payment"),
        "attention": {"total-differs", "vat-rate-differs", *get_args(Trouble)} - {"waiting"},
        "actor": ("orders", "notifications", "documents", "integrations", "token"),
    }
    return {f"{family}-{name}" for family, names in families.items() for name in names}


def words_of_integrations() -> set[str]:
    """Every text of connections and payments whose name is put together from what integrations says."""
    moves = ("authorized", "capture", "refund", "void", "else")
    families: Mapping[str, Iterable[str]] = {
        "connection": get_args(Kind),
        "connection-on": get_args(Kind),
        "none": get_args(Kind),
        "capture": get_args(Capture),
        "health": {*get_args(State), "none"},
        "means": get_args(State),
        "advice": set(get_args(State)) - {"healthy"},
        "word": get_args(Word),
        "checked": get_args(Word),
        "forged": ("no-headers", "wrong-time", "wrong-signature", "no-usable-secret"),
        "said-no": words_for_a_no(),
        "payments": STATES,
        "payments-none": {f"{state}-help" for state in STATES},
        "payment-is": STATES,
        "stands": ("authorized", "captured", "refunded", "voided", "nothing"),
        "told": moves,
        "told-failed": moves,
        "settled": ("attach", "close"),
    }
    return {f"{family}-{name}" for family, names in families.items() for name in names}


def words_for_a_no() -> set[str]:
    """What a provider's no is called on an order's log, as far as a connection can get one."""
    table = tomllib.loads(SENTENCES.read_text("utf-8"))["word"]
    texts = Looks(https=True).texts
    known = {key.removeprefix("said-no-") for key in texts["en"].keys() if key.startswith("said-no-")}  # noqa: SIM118
    for reason in known:
        assert all(texts[each](f"said-no-{reason}") == table[reason][each] for each in LANGUAGES)
    return known | {"card-declined", "no-vat-code", "no-such-payment", "refused"}


def test_every_reason_for_which_orders_refuses_something_has_words() -> None:
    known = Looks(https=True).texts["en"].keys()
    settings = {"order-too-large", "amount-too-large", "status-in-use", "status-twice", "folder-in-use"}
    placing = {"placed-at-impossible", "order-id-taken", "no-vat-country", "unknown-vat-country", "unknown-vat-class"}
    assert {reason for reason in REFUSALS if f"problem-{reason}" not in known} <= settings | placing


def test_effects_stand_below_what_caused_them_and_never_deeper_than_people_can_read() -> None:
    def entry(n: int, cause: str | None, **data: str) -> LogEntry:
        fields = {"id": f"e{n}", "source": "/orders", "type": "x.v1", "at": "2026-11-27T10:00:00Z", "actor": "a"}
        said = {"n": n, "causationid": cause, "outcome": "done", "summary": "order.x", "parameters": {}, "data": data}
        return LogEntry.model_validate(fields | said)

    chain = [
        entry(1, "a-command", event_id="v1"),
        *(entry(n, "v1" if n == 2 else f"e{n - 1}") for n in range(2, 2_000)),
    ]
    later = entry(2_000, "e2000")
    roots = as_tree([*chain, later])
    assert [root.entry.n for root in roots] == [2_000, 1]

    def depth(branch: Branch) -> int:
        return 1 + max(map(depth, branch.effects), default=0)

    def size(branch: Branch) -> int:
        return 1 + sum(map(size, branch.effects))

    assert (depth(roots[1]), size(roots[1])) == (DEEPEST + 1, 1_999)
    assert causes(chain)["e2"].n == 1


@pytest.mark.parametrize(
    ("typed", "minor"),
    [
        ("1 234,50", 123450),
        ("1234.5", 123450),
        ("0,01", 1),
        ("", None),
        ("1,234", ...),
        ("0", ...),
        ("x", ...),
        ("NaN", ...),
        ("1e9", 100000000000),
        ("9" * 40, ...),
    ],
)
def test_amounts_are_read_as_people_type_them(typed: str, minor: Any) -> None:
    form = Form([("amount", typed)])
    if minor is ...:
        with pytest.raises(NotSo):
            amount_of(form, an_order())
    else:
        assert amount_of(form, an_order()).get("amount") == minor


def test_every_language_has_its_name() -> None:
    assert set(LANGUAGE_NAMES) == set(LANGUAGES)


def test_every_file_has_an_address_of_its_content() -> None:
    assets = Looks(https=True).assets
    assert len({asset.content for asset in assets.values()}) == len(assets)
    assert all(re.fullmatch(r"/static/[0-9a-f]{12}/[a-z0-9.-]+", address) for address in assets)


def test_htmx_is_the_file_that_its_package_has() -> None:
    lock = tomllib.loads((HERE / "static" / "vendored.toml").read_text())
    for name, said in lock.items():
        assert hashlib.sha256((HERE / "static" / name).read_bytes()).hexdigest() == said["sha256"]


def test_an_address_of_the_list_asks_for_what_it_says_and_no_more() -> None:
    wanted = Wanted.of(
        [("q", " tea "), ("folder", "root"), ("q", ""), ("nonsense", "1"), ("status", "a"), ("status", "b")]
    )
    assert wanted.fields == (("q", "tea"), ("folder", "root"), ("status", "a"), ("status", "b"))
    assert wanted.folder == "root"
    assert wanted.less("status", "a").address() == "/orders?q=tea&folder=root&status=b"
    assert wanted.plus("sort", "number").sort == "number"
    assert Wanted.of([("sort", "name; drop")]).sort == "-placed_at"
    assert Wanted().address() == "/orders"


def test_days_are_days_of_the_shop() -> None:
    wanted = Wanted.of([("placed_from", "2026-03-29"), ("placed_to", "2026-03-29")])
    assert wanted.filter("Europe/Helsinki") == [
        ("placed_from", "2026-03-28T22:00:00+00:00"),
        ("placed_before", "2026-03-29T21:00:00+00:00"),
    ]
    for nonsense in ("yesterday", "2026-02-30", "9999-12-31", "0001-01-01"):
        with pytest.raises(NotADay):
            Wanted.of([("placed_from", nonsense), ("placed_to", nonsense)]).filter("Asia/Tokyo")


def test_a_view_asks_for_what_was_kept_of_it() -> None:
    wanted = Wanted.of(
        [
            ("q", "tea"),
            ("processing", "unprocessed"),
            ("processing", "partly"),
            ("message", "true"),
            ("cancelled", "false"),
            ("number_from", "7"),
            ("placed_from", "2026-11-01"),
            ("placed_to", "2026-11-30"),
        ]
    )
    kept = wanted.kept("Europe/Stockholm")
    assert kept["message"] is True
    assert kept["number_from"] == 7
    empty: dict[str, Any] = {"attention": None, "number_to": None, "status": [], "sort": ""}
    assert of_view(empty | kept, "Europe/Stockholm") == wanted


@pytest.mark.parametrize(
    ("header", "languages"),
    [
        ("", [""]),
        ("fi", ["fi"]),
        ("de, sv-FI;q=0.8, en;q=0.9", ["de", "en", "sv"]),
        ("fi;q=x, sv;q=0.1", ["fi", "sv"]),
        ("*", ["*"]),
    ],
)
def test_the_most_wanted_language_comes_first(header: str, languages: list[str]) -> None:
    assert preferred(header) == languages


@pytest.mark.parametrize(
    ("address", "there"),
    [
        ("/orders?q=ö&folder=root", "/orders?q=%C3%B6&folder=root"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("https://evil.example", "/"),
        ("/a\r\nSet-Cookie: x=1", "/"),
        ("", "/"),
    ],
)
def test_people_are_sent_on_inside_only(address: str, there: str) -> None:
    assert inside(address) == there


@pytest.mark.requirement("R037", "R039")
def test_statuses_have_the_names_of_the_language_and_retired_ones_are_not_offered() -> None:
    statuses = [
        Status(id="new", axis="order", names={"sv": "Ny", "fi": "Uusi"}, position=2),
        Status(id="old", axis="order", names={"sv": "Gammal"}, position=1, retired=True),
        Status(id="new", axis="internal", names={"sv": "Intern"}, visible=False),
    ]
    catalogue = Catalogue(a_shop(statuses=statuses, folders=[{"id": "f", "name": "Fack"}]), "fi")
    assert catalogue.status("order", "new") == "Uusi"
    assert catalogue.status("order", "old") == "Gammal"
    assert catalogue.status("internal", "new") == "Intern"
    assert catalogue.status("order", "gone") == "gone"
    assert catalogue.choices("order") == [("new", "Uusi")]
    assert catalogue.choices("order", retired=True) == [("old", "Gammal"), ("new", "Uusi")]
    assert (catalogue.folder("f"), catalogue.folder("gone"), catalogue.folder(None)) == ("Fack", "gone", "")


def test_settings_that_cannot_be_used_are_refused() -> None:
    usable = {
        "database_url": "postgresql://postgres@localhost/backoffice",
        "actor_key": new_key(),
        "orders_url": "http://orders:8080/",
        "notifications_url": "http://notifications:8080",
        "documents_url": "http://documents:8080",
        "integrations_url": "http://integrations:8080",
    }
    assert BackofficeSettings.model_validate(usable).orders_url == "http://orders:8080"
    for name, value in (
        ("actor_key", "short"),
        ("orders_url", "orders:8080"),
        ("orders_url", "ftp://x"),
        ("proxies", -1),
    ):
        with pytest.raises(ValidationError):
            BackofficeSettings.model_validate(usable | {name: value})
