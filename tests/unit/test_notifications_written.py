"""What people write becomes a mail that shows it, and nothing that harms whoever reads it."""

import pytest

from services.notifications.rendering import Letter, Rendering, RenderRequest
from services.notifications.written import Written
from tests.builders import a_shop, an_order


def letter(text: str, **fields: str) -> Letter:
    written = Written.model_validate({"headline": "Om din order", "text": text} | fields)
    request = RenderRequest(kind="message-about-order", language="sv", order=an_order(), shop=a_shop(), written=written)
    return Rendering().letter(request)


@pytest.mark.requirement("R049", "R121")
def test_plain_text_keeps_its_lines_and_means_nothing_in_html() -> None:
    made = letter("Hej!\nPassar <b>grönt</b> & blått?\n\nMaria")
    assert made.subject == "Om din order"
    assert "Hej!\nPassar <b>grönt</b> & blått?\n\nMaria\n" in made.text
    assert "Passar &lt;b&gt;grönt&lt;/b&gt; &amp; blått?</p>" in made.html
    assert "Meddelandet gäller order 1001." in made.text


@pytest.mark.requirement("R051")
def test_html_keeps_its_formatting_and_has_a_plain_text() -> None:
    made = letter(
        "<p>Hej&nbsp;Åsa,</p><ul><li>grön</li><li><b>blå</b></li></ul>Se <a href='https://x.example/a'>här</a>",
        format="html",
    )
    assert "<b>blå</b>" in made.html
    assert 'href="https://x.example/a"' in made.html
    assert made.text.startswith("Hej\xa0Åsa,\ngrön\nblå\n")
    assert "Se här" in made.text


def test_the_cells_of_a_table_stay_apart() -> None:
    made = letter(
        "<table><tr><th>Färg</th><th>Pris</th></tr><tr><td>Grön</td><td>129 kr</td></tr></table>", format="html"
    )
    assert made.text.startswith("Färg  Pris\nGrön  129 kr\n")


@pytest.mark.requirement("R051")
@pytest.mark.parametrize(
    "harm",
    [
        "<script>alert(1)</script>",
        "<img src=https://x.example/pixel.gif>",
        "<a href='javascript:alert(1)'>x</a>",
        "<p onclick='alert(1)' style='position:fixed'>x</p>",
        "<form action=https://x.example><input></form>",
        "<iframe src=https://x.example></iframe>",
        "<style>p{display:none}</style>",
        "</div></body></html><meta http-equiv=refresh content='0;url=https://x.example'>",
    ],
)
def test_what_html_could_do_beside_looking_nice_is_gone(harm: str) -> None:
    html = letter(f"<p>Hej</p>{harm}", format="html").html
    clean = letter("<p>Hej</p>", format="html").html
    assert "Hej" in html
    for word in ("alert", "x.example", "onclick", "position:fixed", "display:none", "<form", "<iframe"):
        assert html.count(word) == clean.count(word), word


def test_a_text_that_looks_like_a_template_is_only_a_text() -> None:
    made = letter("{{ shop.email }} {% for x in y %}")
    assert "{{ shop.email }} {% for x in y %}" in made.text
