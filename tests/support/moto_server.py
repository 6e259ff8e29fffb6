"""moto's S3 server with requests one after another: its conditional writes look first, and then write."""

import threading
from collections.abc import Iterable
from typing import Any

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import run_simple

_one_at_a_time = threading.Lock()
_moto = DomainDispatcherApplication(create_backend_app)


def _application(environ: Any, start_response: Any) -> Iterable[bytes]:
    with _one_at_a_time:
        return [b"".join(_moto(environ, start_response))]


if __name__ == "__main__":
    run_simple("127.0.0.1", 0, _application, threaded=True, request_handler=MotoRequestHandler)
