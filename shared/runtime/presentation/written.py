"""HTML that a person has written, made fit to be shown: formatting and links are kept, and nothing else."""

import nh3
from markupsafe import Markup

TAGS = set("a b blockquote br code div em h1 h2 h3 h4 hr i li ol p pre s small span strong sub sup u ul".split())
TAGS |= {"table", "tbody", "td", "th", "thead", "tr"}
SCHEMES = {"https", "http", "mailto", "tel"}


def clean_html(text: str) -> Markup:
    """The HTML with formatting and links alone: no pictures, scripts, forms or styles, and what they say not either."""
    return Markup(nh3.clean(text, tags=TAGS, attributes={"a": {"href"}}, url_schemes=SCHEMES))  # noqa: S704 - it is clean
