"""Two questions that a kubelet asks: `/alive` and `/ready`; 200 is yes, 503 is no."""

import threading
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Question = Callable[[], bool]


def serve_health(port: int, alive: Question, ready: Question) -> ThreadingHTTPServer:
    """Answer on all addresses, in a thread; `.server_port` is the port, a free one for 0."""
    questions = {"/alive": alive, "/ready": ready}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            question = questions.get(self.path)
            if question is None:
                self.send_error(HTTPStatus.NOT_FOUND)
                return
            yes = question()
            self.send_response(HTTPStatus.OK if yes else HTTPStatus.SERVICE_UNAVAILABLE)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing of each question."""

    server = ThreadingHTTPServer(("", port), Handler)
    threading.Thread(target=server.serve_forever, name="health", daemon=True).start()
    return server
