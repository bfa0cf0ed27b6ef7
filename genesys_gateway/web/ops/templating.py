"""Loads the templates of the pages, and what they call.

Invariant: everything that a template writes is escaped, unless this package made it as HTML.
"""

from collections.abc import Mapping

from flask import Response, g
from jinja2 import Environment, PackageLoader, StrictUndefined

from genesys_gateway.runtime.version import __version__
from genesys_gateway.web.ops import assets, charts, words

#: Not Flask's own: pages are also rendered outside of a request, for the stream.
TEMPLATES = Environment(
    loader=PackageLoader("genesys_gateway.web.ops", "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    auto_reload=False,
    trim_blocks=True,
    lstrip_blocks=True,
)
TEMPLATES.globals.update(asset=assets.address, version=__version__)
TEMPLATES.filters.update(
    count=words.count,
    counted=words.counted,
    distance=words.distance,
    duration=words.duration,
    linked=words.linked,
    mistake=words.mistake,
    moment=words.moment,
    percent=charts.percent,
    problem=words.problem,
    title_of=words.title,
    tone=words.tone,
)


def prepare() -> None:
    """Compile all templates, so that the first page of a process does not wait for that; they are kept."""
    for name in TEMPLATES.list_templates():
        TEMPLATES.get_template(name)


def rendered(template: str, **values: object) -> str:
    """A page as text."""
    return TEMPLATES.get_template(template).render(values)


def page_of(template: str, values: Mapping[str, object], status: int = 200) -> Response:
    """Answer the operator of this request with a page."""
    text = rendered(template, operator=g.operator, **values)
    return Response(text, status, content_type="text/html; charset=utf-8")
