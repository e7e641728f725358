"""Four shops that do not exist, with what they sell and on which terms; every address of theirs ends in `.example`."""
# ruff: noqa: RUF001 - shops write dashes and multiplication signs

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from shared.contracts.shop_facts import ShopSettings
from shared.contracts.values import Language

Tax = Literal["standard", "food", "book", "press", "dining"]
Kind = Literal["physical", "digital", "service"]

VAT: dict[str, dict[Tax, Decimal]] = {
    "SE": {"standard": Decimal(25), "food": Decimal(6), "book": Decimal(6), "press": Decimal(6), "dining": Decimal(12)},
    "FI": {
        "standard": Decimal("25.5"),
        "food": Decimal("13.5"),
        "book": Decimal("13.5"),
        "press": Decimal(10),
        "dining": Decimal("13.5"),
    },
    "EE": {
        "standard": Decimal(24),
        "food": Decimal(24),
        "book": Decimal(9),
        "press": Decimal(9),
        "dining": Decimal(24),
    },
    "DE": {"standard": Decimal(19), "food": Decimal(7), "book": Decimal(7), "press": Decimal(7), "dining": Decimal(7)},
}
"""Per cent in 2026. Swedish food: 6 from 1 April 2026 to 31 December 2027. Finland: 13.5 from 1 January 2026."""


VAT_CLASSES: dict[Tax, str] = {
    "standard": "standard",
    "food": "food",
    "book": "book",
    "press": "press",
    "dining": "restaurant",
}
"""What orders calls them, in a shop that has set its VAT country."""


@dataclass(frozen=True)
class Article:
    """What a shop sells; the price is in minor units, the weight in grams, `most` what people buy of it at once."""

    number: str
    name: str
    price: int
    tax: Tax = "standard"
    weight: int | None = None
    most: int = 2
    kind: Kind = "physical"
    shelf: str = ""


@dataclass(frozen=True)
class Way:
    """A way to have it delivered or to pay for it, what the shop calls it, and what it costs in minor units."""

    method: str
    name: str
    price: int = 0
    pick_up: bool = False


@dataclass(frozen=True)
class NordicShop:
    """A shop: how it presents itself, where its customers live, what it sells and on which terms."""

    settings: ShopSettings
    customers: tuple[tuple[Language, str], ...]
    """Language and country, as often as they come."""
    articles: tuple[Article, ...]
    deliveries: tuple[Way, ...]
    payments: tuple[Way, ...]
    download: str
    """What the delivery is called where there is nothing to carry."""
    free_delivery_from: int
    to_companies: bool = False


_TEA = NordicShop(
    ShopSettings(
        shop="norrskens-te",
        name="Norrskens Te & Kafferosteri",
        languages=["sv", "fi", "en"],
        currency="SEK",
        time_zone="Europe/Stockholm",
        email="hej@norrskens-te.example",
        phone="+46 8 465 004 10",
        website="https://norrskens-te.example",
        postal_address="Norrskens Te & Kafferosteri\nÄlvgatan 14\n903 26 Umeå\nSverige",
        vat_country="SE",
        first_order_number=10_001,
    ),
    customers=(("sv", "SE"), ("sv", "SE"), ("sv", "SE"), ("fi", "SE"), ("sv", "FI"), ("en", "SE")),
    articles=(
        Article("TE-1012", "Sencha från Shizuoka, 100 g", 129_00, "food", 115, 3, shelf="A1-04"),
        Article("TE-1107", "Rökigt lägerbålste, lösvikt 250 g", 189_00, "food", 270, shelf="A1-07"),
        Article("TE-1140", "Rooibos med hjortron & vanilj, 100 g", 89_00, "food", 115, 4, shelf="A1-11"),
        Article("KA-2003", "Kokkaffe, mörkrost, 450 g", 98_50, "food", 460, 6, shelf="A3-01"),
        Article("KA-2021", "Bryggkaffe Midvintermörker, hela bönor, 1 kg", 279_00, "food", 1020, 3, shelf="A3-02"),
        Article("PO-3100", "Kanna i stengods, blåglasyr, 1,2 l", 649_00, weight=1450, most=1, shelf="C2-10"),
        Article("PO-3122", "Muggar ”Åskväder”, två stycken", 345_00, weight=780, shelf="C2-14"),
        Article("TI-4001", "Tesil av rostfritt stål", 119_00, weight=60, shelf="B1-03"),
        Article("BO-5007", "Te i norr: en bok om att vänta på vatten", 249_00, "book", 690, 1, shelf="D1-01"),
        Article("EB-5008", "Te i norr, e-bok (EPUB)", 149_00, "book", None, 1, "digital"),
        Article("UP-6001", "Eftermiddagste för två i rosteriet", 590_00, "dining", None, 2, "service"),
    ),
    deliveries=(
        Way("pick-up-point", "Paketombud, 1–3 vardagar", 49_00, pick_up=True),
        Way("home-delivery", "Hemleverans på kvällen", 99_00),
        Way("letter", "Brev, läggs i brevlådan", 29_00),
    ),
    payments=(Way("card", "Kort"), Way("invoice", "Faktura, 14 dagar", 29_00), Way("bank", "Direkt från banken")),
    download="Nedladdning",
    free_delivery_from=800_00,
)

_SAUNA = NordicShop(
    ShopSettings(
        shop="halla-sauna",
        name="Saunatarvike Halla",
        languages=["fi", "sv", "en"],
        currency="EUR",
        time_zone="Europe/Helsinki",
        email="asiakaspalvelu@halla-sauna.example",
        website="https://halla-sauna.example",
        postal_address="Saunatarvike Halla Oy\nKauppakatu 7\n70100 Kuopio\nSuomi",
    ),
    customers=(("fi", "FI"), ("fi", "FI"), ("fi", "FI"), ("sv", "FI"), ("fi", "EE"), ("en", "FI")),
    articles=(
        Article("S-110", "Löylykauha, lämpökäsitelty haapa", 24_90, weight=210),
        Article("S-114", "Saunakiulu, mänty, 5 litraa", 59_00, weight=1300, most=1),
        Article("S-130", "Löylytuoksu, terva, 100 ml", 8_90, weight=120, most=4),
        Article("S-131", "Löylytuoksu, koivunlehti & järvivesi, 100 ml", 9_90, weight=120, most=4),
        Article("S-152", "Laudeliina, pellavaa, 46 × 150 cm", 32_50, weight=310, most=6),
        Article("S-160", "Kiuaskivet, oliviinidiabaasi, 20 kg", 27_90, weight=20_000, most=3),
        Article("S-171", "Saunahattu, huopaa, säänkestävä", 39_95, weight=90),
        Article("R-201", "Savumuikku pähkinäpuusavussa, 220 g", 7_45, "food", 300, 6),
        Article("R-208", "Salmiakkimarmeladi, 150 g", 5_95, "food", 160, 5),
        Article("K-301", "Löylynlyöjän käsikirja", 34_00, "book", 540, 1),
        Article("L-401", "Löyly-lehti, vuosikerta", 48_00, "press", None, 1),
    ),
    deliveries=(
        Way("pick-up-point", "Paketti noutopisteeseen", 5_90, pick_up=True),
        Way("home-delivery", "Kotiinkuljetus", 12_90),
    ),
    payments=(Way("card", "Maksukortti"), Way("bank", "Verkkopankki"), Way("invoice", "Lasku, 14 päivää", 3_90)),
    download="Lataus",
    free_delivery_from=100_00,
)

_OUTDOOR = NordicShop(
    ShopSettings(
        shop="fell-and-harbour",
        name="Fell & Harbour Outfitters",
        languages=["en", "sv", "fi"],
        currency="EUR",
        time_zone="Europe/Helsinki",
        email="crew@fell-and-harbour.example",
        website="https://fell-and-harbour.example",
        postal_address="Fell & Harbour Outfitters\nSatamakatu 3\n00160 Helsinki\nFinland",
        first_order_number=500_000,
    ),
    customers=(("en", "FI"), ("en", "SE"), ("en", "DE"), ("en", "EE"), ("sv", "SE"), ("fi", "FI")),
    articles=(
        Article("FH-TENT-2", "Two-person tunnel tent “Saana”, moss green", 489_00, weight=2650, most=1),
        Article("FH-MAT-R4", "Insulated sleeping mat, R 4.2", 139_00, weight=560),
        Article("FH-STOVE", "Spirit stove with windshield", 84_50, weight=740, most=1),
        Article("FH-DRY-20", "Dry bag, 20 l", 24_90, weight=140, most=4),
        Article("FH-ROPE-10", "Mooring line, 10 m, spliced eye", 38_00, weight=900, most=4),
        Article("FH-KNIFE", "Birch-handled knife with leather sheath", 69_00, weight=180),
        Article("FH-BAR-12", "Oat & lingonberry bars, box of 12", 21_60, "food", 620, 3),
        Article("FH-GUIDE", "Walking the Käsivarsi: a guide in twelve days", 29_90, "book", 410, 1),
        Article("FH-GPX-7", "Seven routes in the fells, GPX and offline map", 14_90, "standard", None, 1, "digital"),
        Article("FH-REPAIR", "Repair of a zip or a seam", 35_00, "standard", None, 1, "service"),
    ),
    deliveries=(
        Way("pick-up-point", "Parcel to a pick-up point", 7_90, pick_up=True),
        Way("courier", "Courier to the door", 16_90),
    ),
    payments=(Way("card", "Card"), Way("bank", "Bank transfer")),
    download="Download",
    free_delivery_from=250_00,
)

_WORKSHOP = NordicShop(
    ShopSettings(
        shop="verkstadsboden",
        name="Verkstadsboden i Gnosjö",
        languages=["sv"],
        currency="SEK",
        time_zone="Europe/Stockholm",
        prices_include_vat=False,
        email="order@verkstadsboden.example",
        phone="+46 31 390 06 20",
        website="https://verkstadsboden.example",
        postal_address="Verkstadsboden i Gnosjö AB\nIndustrigatan 2\n335 31 Gnosjö",
        rounding="whole",
        vat_country="SE",
    ),
    customers=(("sv", "SE"),),
    articles=(
        Article("10-4410", "Spiralborr HSS-Co, 1–10 mm, sats om 19", 612_00, weight=840, most=4, shelf="07:12"),
        Article("10-7023", "Gängtapp M8 × 1,25, maskin", 148_70, weight=40, most=25, shelf="07:31"),
        Article("22-0108", "Skärvätska, vegetabilisk, dunk 20 l", 1_895_00, weight=21_000, most=6, shelf="GOLV"),
        Article(
            "31-5502", "Montagehandskar strl 10, förpackning om 12 par", 342_40, weight=650, most=20, shelf="02:05"
        ),
        Article("31-5610", "Hörselkåpor, hjälmfäste", 289_00, weight=310, most=12, shelf="02:09"),
        Article("44-1201", "Slipskiva Ø 125 mm, kornstorlek 60", 12_35, weight=30, most=200, shelf="04:01"),
        Article("60-0001", "Kokkaffe till fikarummet, 6 × 500 g", 468_00, "food", 3100, 4, shelf="01:01"),
        Article("90-2000", "Kalibrering av momentnyckel med intyg", 695_00, "standard", None, 3, "service"),
    ),
    deliveries=(Way("freight", "Företagspaket", 145_00), Way("collect", "Hämtas i butiken")),
    payments=(Way("invoice", "Faktura, 30 dagar"), Way("invoice", "Faktura på papper, 30 dagar", 45_00)),
    download="Ingen leverans",
    free_delivery_from=5_000_00,
    to_companies=True,
)

SHOPS = (_TEA, _SAUNA, _OUTDOOR, _WORKSHOP)
