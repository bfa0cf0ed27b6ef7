"""Is all that a page needs ready before the first one is asked for?"""

from app import create_app
from genesys_gateway.web.ops.runbook import runbook
from genesys_gateway.web.ops.templating import TEMPLATES
from tests.doubles.web import FakeGateway


def test_an_application_has_compiled_every_template_and_read_the_runbook(gateway: FakeGateway) -> None:
    kept = TEMPLATES.cache
    assert kept is not None
    kept.clear()
    runbook.cache_clear()

    create_app(gateway)

    assert len(kept) == len(TEMPLATES.list_templates()) > 10
    assert runbook.cache_info().currsize == 1
