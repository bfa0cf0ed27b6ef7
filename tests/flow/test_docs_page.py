"""Does a browser show the description, without requests to any other host?"""

from tests.harness.chromium import browser
from tests.harness.gateway import Gateway


def test_the_page_shows_every_operation_and_loads_nothing_from_elsewhere(gateway: Gateway) -> None:
    with browser() as page:
        page.go(f"{gateway.url}/docs")
        page.wait_for("document.querySelectorAll('.opblock').length >= 8")
        page.ask("document.querySelector('.opblock-post .opblock-summary-control').click()")
        page.wait_for("document.body.innerText.includes('It was registered before.')")

        assert not page.ask("document.body.innerText.includes('Try it out')")
        loaded = page.ask("performance.getEntriesByType('resource').map(one => one.name)")
        assert {"/openapi.json", "/docs/swagger-ui-bundle.js"} <= {one.removeprefix(gateway.url) for one in loaded}
        assert [one for one in loaded if not one.startswith(f"{gateway.url}/")] == []
        assert page.complaints == []
