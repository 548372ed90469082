"""The FCU door: answer an EC2 query request, without I/O.

The order of the checks is that of the OAPI door: the caller, the action, the parameters; then the call.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from functools import lru_cache, partial

from omisim.base.hosts import parse_host
from omisim.base.texts import encode_text
from omisim.doors.fcu.actions import find_action
from omisim.doors.fcu.context import Context
from omisim.doors.fcu.errors import find_code, find_status
from omisim.doors.fcu.query import Query, parse_pairs, parse_query
from omisim.doors.fcu.render import make_namespace, render_answer, render_error
from omisim.doors.fcu.table import load_rows
from omisim.doors.http import MAX_CACHED, HttpRequest, HttpResponse
from omisim.doors.identity import identify_caller
from omisim.doors.signature import Signature, parse_query_signature, parse_signature
from omisim.engine.calls import MakeCall, note_refused, refuse_unsaved, run_request
from omisim.engine.engine import Engine
from omisim.engine.faults import Dropped, Killed, raise_failure
from omisim.spec.errors import ApiError
from omisim.spec.rules import refuse
from omisim.state.journal_store import StoreError

__all__ = ["FcuDoor"]

CACHED_REQUESTS = 256
SIGNED_SERVICES = ("ec2", "fcu")  # in the scope of a signature
_PATH = re.compile(r"/+(?:(?P<region>[a-z]+(?:-[a-z0-9]+)+)/+)?(?:fcu/*)?")
_HEADERS = {"Content-Type": "text/xml;charset=UTF-8"}


class FcuDoor:
    """The FCU API of one cloud. It caches its latest parsed requests by their bytes, as the OAPI door does."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._parse_cached = lru_cache(maxsize=CACHED_REQUESTS)(parse_query)

    def handle(self, request: HttpRequest, host_time: dt.datetime) -> HttpResponse:
        """Answer one HTTP request.

        `host_time` is the host's UTC time: a signature may be dated by it or by the cloud's clock (AUTH-007).
        Raises Dropped when a fault drops the connection.
        """
        try:
            return raise_failure(run_request(self.engine, self._answer, request, host_time))
        except StoreError as error:
            name = _name_action(parse_query(request.query, request.body).action)
            return self._refuse(request, refuse_unsaved(self.engine, error, name, headers=request.headers, api="fcu"))

    def _answer(self, request: HttpRequest, host_time: dt.datetime, call: MakeCall) -> HttpResponse | Dropped | Killed:
        """Answer one request, or return the exception that ends its connection."""
        engine, headers = self.engine, request.headers
        is_short = len(request.body) + len(request.query) <= MAX_CACHED
        query = (self._parse_cached if is_short else parse_query)(request.query, request.body)
        account_id: str | None = None
        try:
            account_id, region = self._identify(request, query, host_time)
            action = find_action(query.action)
            if request.method not in ("GET", "POST"):
                raise refuse("FCU-003/method", method=request.method)
            context = Context(engine, account_id, region, engine.clock.now())
            outcome = action.answer(context, query, headers, call)
        except ApiError as error:
            if not error.request_id:
                note_refused(engine, _name_action(query.action), account_id, error, headers, "fcu")
            return self._refuse(request, error)
        except (Dropped, Killed) as failure:
            return failure
        namespace = action.namespace or make_namespace(query.version)
        text = render_answer(action.row.name, namespace, outcome.content, outcome.request_id)
        warnings = {"X-Omisim-Warning": "; ".join(outcome.warnings)} if outcome.warnings else {}
        return self._respond(request, 200, text, outcome.request_id, warnings)

    def _identify(self, request: HttpRequest, query: Query, host_time: dt.datetime) -> tuple[str | None, str]:
        """Return the caller and the Region of a request."""
        named_region = _find_region(request.host, request.path)
        row = load_rows().get(query.action)
        name = row.calls if row is not None and row.open else ""  # "": OAPI's may be open where FCU's is not
        parse = partial(_parse_signature, query)
        return identify_caller(self.engine, request, name, named_region, host_time, parse)

    def _refuse(self, request: HttpRequest, error: ApiError) -> HttpResponse:
        code = find_code(error)
        text = render_error(code, error.details, error.request_id)
        status = find_status(error, code)
        return self._respond(request, status, text, error.request_id, {"X-Omisim-Rule": error.rule})

    def _respond(
        self, request: HttpRequest, status: int, text: str, request_id: str, headers: Mapping[str, str]
    ) -> HttpResponse:
        content = encode_text(text)
        self.engine.session.record_sizes(request_id, request.head_size + len(request.body), len(content))
        return HttpResponse(status, content, {**_HEADERS, **headers})


def _name_action(name: str) -> str:
    """Return the name of an EC2 action in the call log: that of omisim's action, if FCU has it."""
    row = load_rows().get(name)
    return row.calls if row is not None else name


@lru_cache(maxsize=256)
def _find_region(host: str, path: str) -> str | None:
    """Return the Region that a request names in its path or its host, or None."""
    match = _PATH.fullmatch(path)
    if match is not None and match["region"]:
        return match["region"]
    parsed = parse_host(host)
    return parsed.region if parsed and (parsed.service, parsed.prefix) == ("fcu", "") else None


def _parse_signature(query: Query, request: HttpRequest) -> Signature:
    """Return the signature in the header or in the query string, whose scope must be this service's (FCU-014)."""
    parameters = dict(parse_pairs(request.query)) if request.query else {}
    has_header = bool(request.headers.get("authorization"))
    if query.signature_version and "X-Amz-Algorithm" not in parameters and not has_header:
        raise refuse("AUTH-004/method", scheme=f"Signature Version {query.signature_version}")
    in_query = "X-Amz-Algorithm" in parameters or "X-Amz-Signature" in parameters
    if in_query and has_header:
        raise refuse("AUTH-005", reason="it is signed twice, in its Authorization header and in its query string")
    signature = parse_query_signature(parameters) if in_query else parse_signature(request)
    of_host = request.host.partition(".")[0]  # as boto 2 and curl name the service
    if signature.scope[2] not in (*SIGNED_SERVICES, of_host):
        raise refuse("FCU-014", service=signature.scope[2])
    return signature
