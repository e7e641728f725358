"""People and companies who do not exist: no mail reaches them and no telephone of theirs rings."""
# ruff: noqa: RUF001 - people write typographic apostrophes

import unicodedata
from dataclasses import dataclass
from random import Random

from shared.contracts.values import Address, Language

_GIVEN: dict[Language, tuple[str, ...]] = {
    "sv": ("Åsa", "Björn", "Göran", "Maj-Britt", "Örjan", "Sölve", "Märta", "Anna-Karin", "Jörgen", "Ylva", "Håkan"),
    "fi": ("Päivi", "Väinö", "Aino", "Jyrki", "Hänna", "Yrjö", "Sanna-Leena", "Mikko", "Sirkka-Liisa", "Tuomas"),
    "en": ("Siobhán", "Oliver", "Priya", "Zoë", "Kwame", "Charlotte", "Renée", "Tomasz", "Jürgen", "Liis"),
}
_FAMILY: dict[Language, tuple[str, ...]] = {
    "sv": ("Öberg", "Ångström", "Sjögren", "Lindqvist", "Nyström-Höök", "Björklund", "Ekström", "Hägglund", "Åkesson"),
    "fi": ("Hämäläinen", "Mäkelä", "Yli-Pöyhönen", "Järvinen", "Kyllönen", "Räsänen", "Ylä-Jääski", "Koskela"),
    "en": ("Fitzgerald", "O’Brien", "Nakamura-Ross", "Müller", "Ward", "Tamm", "Okonkwo", "Grüner", "Sąsiadek"),
}
_LONG: dict[Language, str] = {
    "sv": "Karl-Göran Alexander Wilhelm Mörnerhjelm-Lilliestråle af Ängeltofta",
    "fi": "Anna-Kaarina Vilhelmiina Hämäläinen-Järvenpää-Kyllönen",
    "en": "Bartholomew Featherstonehaugh-Cholmondeley Fitzwilliam-Montgomery III",
}
_PLACES: dict[str, tuple[tuple[str, str], ...]] = {
    "SE": (
        ("903 26", "Umeå"),
        ("118 20", "Stockholm"),
        ("411 05", "Göteborg"),
        ("831 30", "Östersund"),
        ("621 53", "Visby"),
    ),
    "FI": (
        ("00170", "Helsinki"),
        ("33210", "Tampere"),
        ("90100", "Oulu"),
        ("22100", "Mariehamn"),
        ("53100", "Lappeenranta"),
    ),
    "EE": (("10133", "Tallinn"), ("51007", "Tartu"), ("80010", "Pärnu")),
    "DE": (("24103", "Kiel"), ("80331", "München"), ("50667", "Köln")),
}
_STREETS: dict[str, tuple[str, ...]] = {
    "SE": ("Björkvägen", "Östra Ågatan", "Kyrkogränd", "Skolgatan", "Övre Hamngatan", "Ängsstigen"),
    "FI": ("Koivutie", "Hämeenpuisto", "Itäinen Rantakatu", "Mäntymäentie", "Österbygatan"),
    "EE": ("Pärna tänav", "Lühike jalg", "Õie tänav"),
    "DE": ("Lindenstraße", "Am Mühlgraben", "Königsweg"),
}
_COMPANIES = (
    "Bröderna Åkessons Mekaniska i Värnamo AB",
    "Österlens Smide & Svets HB",
    "Nordanå Fältservice Ekonomisk förening",
    "Hjältevads Finmekaniska Verkstad AB",
    "Sjövägens Båt- och Motorvarv AB",
)
_MESSAGES: dict[Language, tuple[str, ...]] = {
    "sv": (
        "Ring gärna innan leverans, porttelefonen är trasig.",
        "Det är en present till mormor som fyller 90:\n\nlägg inget papper med pris i paketet!\n\nTack på förhand 🙂",
        "Får jag hämta på lördag i stället? Mvh / Å. Ö.",
    ),
    "fi": (
        "Jättäkää paketti kuistille, koira ei pure.",
        "Lahja syntymäpäiväsankarille:\nvoisitteko paketoida?\nKiitos etukäteen 🌲",
    ),
    "en": (
        "Please leave it with the neighbour at number 7 (blue door).",
        "It's a gift <3 & no invoice in the box, please.\nCheers!",
    ),
}
_PICK_UP = {"SE": "Paketskåpet vid torget", "FI": "Pakettiautomaatti, rautatieasema", "EE": "Pakiautomaat, bussijaam"}
_FICTION = ("+46 70 174 06 {:02}", "+46 8 465 004 {:02}", "+46 31 390 06 {:02}", "+46 40 628 04 {:02}")
"""The numbers that Post- och telestyrelsen keeps for books and films; of the mobile ones those from 05."""


@dataclass(frozen=True)
class Person:
    """A customer: name, an address that takes no mail, a telephone of fiction where the country keeps such numbers."""

    full_name: str
    company: str
    email: str
    phone: str
    address: Address


def a_person(random: Random, language: Language, country: str, *, company: bool) -> Person:
    """Somebody of this language who lives in this country; with a company they order for, where asked."""
    long_name = random.random() < 0.05  # noqa: PLR2004 - one in twenty
    name = _LONG[language] if long_name else f"{random.choice(_GIVEN[language])} {random.choice(_FAMILY[language])}"
    firm = random.choice(_COMPANIES) if company else ""
    return Person(
        full_name=name,
        company=firm,
        email=f"{_plain(name)}@{_plain(firm) if firm else 'post'}.example",
        phone=random.choice(_FICTION).format(random.randint(5, 99)) if country == "SE" else "",
        address=an_address(random, country, name, firm),
    )


def an_address(random: Random, country: str, name: str = "", company: str = "") -> Address:
    """A street that may exist, in a town that does."""
    postal_code, city = random.choice(_PLACES[country])
    return Address(
        full_name=name,
        company=company,
        street=f"{random.choice(_STREETS[country])} {random.randint(1, 98)}",
        street2=random.choice(("", "", "", "lgh 1203", "c/o Öhman")) if country == "SE" else "",
        postal_code=postal_code,
        city=city,
        country=country,
    )


def a_message(random: Random, language: Language) -> str:
    """What a customer may write at checkout; may have several lines."""
    return random.choice(_MESSAGES[language])


def pick_up_point(random: Random, country: str) -> str:
    """Where a parcel waits."""
    return f"{_PICK_UP.get(country, 'Paketstation am Bahnhof')} {random.randint(1, 40)}"


def _plain(text: str) -> str:
    """The letters of a name as they stand in a mail address: `asa.oberg`; at most 60 characters."""
    ascii_only = unicodedata.normalize("NFKD", text.lower()).encode("ascii", "ignore").decode()
    spaced = "".join(c if c.isalnum() or c == "-" else " " for c in ascii_only)
    words = [word.strip("-") for word in spaced.split()]
    return ".".join(word for word in words if word)[:60].rstrip(".-")
