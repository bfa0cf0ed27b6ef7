"""A test whose output or log shows a planted secret fails, whatever else it asserts."""

from collections.abc import Generator

import pytest

from tests.doubles.canaries import SECRETS, found_in


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Of pytest: after a test's last phase everything it printed and logged is there."""
    report = yield
    if report.when == "teardown" and report.passed:
        told = "\n".join(content for _, content in report.sections)
        if shown := found_in(told, SECRETS):
            report.outcome = "failed"
            report.longrepr = f"{item.nodeid} printed or logged a planted secret: {', '.join(sorted(shown))}"
    return report
