"""Does the contents of the runbook's page lead to every entry, grouped as the document has them?"""

import re

from flask.testing import FlaskClient

from genesys_gateway.web.ops.runbook import runbook
from tests.doubles.web import OPS_TOKEN, bearer


def test_the_contents_leads_to_every_entry_and_to_each_of_its_parts(client: FlaskClient) -> None:
    page = client.get("/ops/runbook", headers=bearer(OPS_TOKEN)).text
    contents, _, rest = page.partition('aria-label="Contents">')[2].partition("</nav>")

    links = re.findall('href="#([^"]+)"', contents)
    assert len(links) == len(set(links))
    assert set(links) == {one.replace(" ", "-") for one in runbook().entries} | {
        part for parts in runbook().parts.values() for part in parts
    }
    assert [one for one in links if f'id="{one}"' not in rest] == []
    assert re.findall("<h2>(.+?)</h2>", contents) == [
        "Troubles",
        '<a href="#Alerts-without-a-code">Alerts without a code</a>',
    ]
    assert contents.index("#receiver_down") < contents.index("#Alerts-without-a-code") < contents.index("#hub_lag")
