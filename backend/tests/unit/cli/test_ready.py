"""`zerkalo ready`: exit code and one line, by what the server answers."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from zerkalo.cli.main import main


@pytest.fixture(params=[200, 503])
def server(request: pytest.FixtureRequest) -> Iterator[tuple[int, str]]:
    """A server that answers /readyz with a status; the status and its address."""
    status: int = request.param

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/readyz" else 404)
            self.end_headers()
            self.wfile.write(b"the database does not answer")

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the name is http.server's
            """Stay silent."""

    with HTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield status, f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


def test_it_ends_by_what_the_server_answers(server: tuple[int, str], capsys: pytest.CaptureFixture[str]):
    status, url = server
    with pytest.raises(SystemExit) as end:
        main(["ready", f"{url}/"])

    assert end.value.code in ((0, None) if status == 200 else (1,))
    said = capsys.readouterr().err
    assert said == "" if status == 200 else "answers 503: the database does not answer" in said


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "file:///etc/passwd", "nonsense"])
def test_what_is_no_server_is_told_in_one_line(url: str, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as end:
        main(["ready", url])

    assert end.value.code == 1
    assert capsys.readouterr().err.count("\n") == 1
