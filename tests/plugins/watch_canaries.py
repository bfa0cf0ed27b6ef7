"""Pytest plugin: fails a test whose output or log contains a planted secret, whatever else the test asserts."""

from collections.abc import Generator

import pytest

from tests.doubles.canaries import SECRETS, found_in


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Called by pytest after each phase of a test; after the last one, everything printed and logged is known."""
    report = yield
    if report.when == "teardown" and report.passed:
        output = "\n".join(content for _, content in report.sections)
        if shown := found_in(output, SECRETS):
            report.outcome = "failed"
            report.longrepr = f"{item.nodeid} printed or logged a planted secret: {', '.join(sorted(shown))}"
    return report
