"""requests_mock in the place of the network, for the calls of an HttpClient."""

from requests.adapters import HTTPAdapter
from requests_mock import Mocker


class MockedHttp(Mocker):
    """Answers every call that any adapter is to send; requests_mock's own only sees calls of a session."""

    def start(self) -> None:
        """Begin to answer."""
        self._send, answering = HTTPAdapter.send, self._adapter.send  # type: ignore[attr-defined]
        HTTPAdapter.send = lambda _, request, **options: answering(request, **options)  # type: ignore[method-assign]

    def stop(self) -> None:
        """Let the adapters send again."""
        HTTPAdapter.send = self._send  # type: ignore[method-assign]
