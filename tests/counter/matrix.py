"""The permission matrix: every address of the project, every kind of visitor, what they get (reliability.md section 3).

A row is one address: its name, how it is asked, and one word for each column of ``WHO``. ``in`` is the way to the door
(302 to a sign-in page), ``go`` any other redirect, ``-`` the same as the column before. Rows of one name follow each
other, GET first.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

WHO = (
    "anonymous",
    "holder",
    "clerk",
    "clerk_elsewhere",
    "cashier",
    "supervisor",
    "supervisor_elsewhere",
    "supervisor_of_all",
    "auditor",
    "auditor_elsewhere",
    "merchant",
    "admin",
)


MATRIX = """
# a: anonymous holder | clerk elsewhere cashier | supervisor elsewhere of_all | auditor elsewhere | merchant admin
healthz                 GET   200 - - - - - - - - - - -
healthz                 POST  405 - - - - - - - - - - -
metrics                 GET   200 - - - - - - - - - - -
metrics                 POST  405 - - - - - - - - - - -
set_language            GET   go - - - - - - - - - - -
set_language            POST  go - - - - - - - - - - -

portal:home             GET   200 - - - - - - - - - - -
portal:home             POST  405 - - - - - - - - - - -
portal:login            GET   200 - - - - - - - - - - -
portal:login            POST  400 - - - - - - - - - - -
portal:logout           GET   405 - - - - - - - - - - -
portal:logout           POST  go - - - - - - - - - - -
portal:overview         GET   in 200 in - - - - - - - - -
portal:overview         POST  in 405 in - - - - - - - - -
portal:extend           GET   405 - - - - - - - - - - -
portal:extend           POST  401 200 401 - - - - - - - - -
portal:statement        GET   in 200 in - - - - - - - - -
portal:statement        POST  in 405 in - - - - - - - - -
portal:loss             GET   in 200 in - - - - - - - - -
portal:loss             POST  in 400 in - - - - - - - - -
portal:loss_done        GET   in 404 in - - - - - - - - -
portal:loss_done        POST  in 405 in - - - - - - - - -
portal:security         GET   in 200 in - - - - - - - - -
portal:security         POST  in 400 in - - - - - - - - -

counter:login           GET   200 - - - - - - - - - - -
counter:login           POST  403 - - - - - - - - - - -
counter:logout          GET   405 - - - - - - - - - - -
counter:logout          POST  in - - - - - - - - - - -
counter:extend          GET   in - 405 - - - - - - - - -
counter:extend          POST  in - 200 - - - - - - - - -
counter:home            GET   in - go - - - - - - - - -
counter:home            POST  in - 405 - - - - - - - - -
counter:cases           GET   in - 200 200 403 200 200 200 200 200 403 403
counter:cases           POST  in - 405 405 403 405 405 405 405 405 403 403
counter:case            GET   in - 200 200 403 200 200 200 200 200 403 403
counter:case            POST  in - 405 405 403 405 405 405 405 405 403 403
counter:letter          GET   in - 200 200 403 200 200 200 200 200 403 403
counter:letter          POST  in - 405 405 403 405 405 405 405 405 403 403
counter:take            GET   in - 405 405 403 405 405 405 403 403 403 403
counter:take            POST  in - go  go  403 go  go  go  403 403 403 403
counter:assign          GET   in - 403 403 403 405 405 405 403 403 403 403
counter:assign          POST  in - 403 403 403 400 400 400 403 403 403 403
counter:remark          GET   in - 405 405 403 405 405 405 403 403 403 403
counter:remark          POST  in - 400 400 403 400 400 400 403 403 403 403
counter:hold            GET   in - 405 405 403 405 405 405 403 403 403 403
counter:hold            POST  in - 400 400 403 400 400 400 403 403 403 403
counter:escalate        GET   in - 405 405 403 405 405 405 403 403 403 403
counter:escalate        POST  in - 400 400 403 400 400 400 403 403 403 403
counter:close           GET   in - 403 403 403 405 405 405 403 403 403 403
counter:close           POST  in - 403 403 403 400 400 400 403 403 403 403
counter:decide          GET   in - 200 200 403 200 200 200 403 403 403 403
counter:decide          POST  in - 400 400 403 400 400 400 403 403 403 403
counter:decisions       GET   in - 200 200 200 200 200 200 200 200 403 200
counter:decisions       POST  in - 405 405 405 405 405 405 405 405 403 405
counter:decision        GET   in - 200 200 403 200 200 200 200 200 403 403
counter:decision        POST  in - 405 405 403 405 405 405 405 405 403 403
counter:approve         GET   in - 403 403 403 405 405 405 403 403 403 403
counter:approve         POST  in - 403 403 403 400 404 400 403 403 403 403
counter:refuse          GET   in - 403 403 403 405 405 405 403 403 403 403
counter:refuse          POST  in - 403 403 403 400 404 400 403 403 403 403
counter:withdraw        GET   in - 405 405 403 405 405 405 403 403 403 403
counter:withdraw        POST  in - 409 409 403 409 409 409 403 403 403 403
counter:carry_out       GET   in - 405 405 403 405 405 405 403 403 403 403
counter:carry_out       POST  in - 409 409 403 409 409 409 403 403 403 403
counter:choose_desk     GET   in - 405 405 405 405 405 405 403 403 403 403
counter:choose_desk     POST  in - go  go  go  go  go  go  403 403 403 403
counter:read_card       GET   in - 405 405 405 405 405 405 403 403 403 403
counter:read_card       POST  in - go  go  go  go  go  go  403 403 403 403
counter:job             GET   in - 200 404 200 200 404 200 200 404 403 403
counter:job             POST  in - 405 405 405 405 405 405 405 405 403 403
counter:cancel_job      GET   in - 405 405 405 405 405 405 403 403 403 403
counter:cancel_job      POST  in - go  404 go  go  404 go  403 403 403 403

admin:index             GET   in - in - - - - - - - - 200
admin:index             POST  in - in - - - - - - - - 200
admin:login             GET   in - - - - - - - - - - -
admin:login             POST  in - - - - - - - - - - -
admin:logout            GET   go - go - - - - - - - - 405
admin:logout            POST  go - go - - - - - - - - 200
admin:autocomplete      GET   in - in - - - - - - - - 403
admin:autocomplete      POST  in - in - - - - - - - - 405
admin:jsi18n            GET   in - in - - - - - - - - 200
admin:jsi18n            POST  in - in - - - - - - - - 405
admin:app_list          GET   in - in - - - - - - - - 200
admin:app_list          POST  in - in - - - - - - - - 200
admin:password_change   GET   in - in - - - - - - - - 404
admin:password_change   POST  in - in - - - - - - - - 404
admin:password_change_done GET in - in - - - - - - - - 404
admin:password_change_done POST in - in - - - - - - - - 404
admin:view_on_site      GET   in - in - - - - - - - - 404
admin:view_on_site      POST  in - in - - - - - - - - 404
admin:changelist        GET   in - in - - - - - - - - 200
admin:changelist        POST  in - in - - - - - - - - 200
admin:add               GET   in - in - - - - - - - - 403
admin:add               POST  in - in - - - - - - - - 403
admin:delete            GET   in - in - - - - - - - - 403
admin:delete            POST  in - in - - - - - - - - 403
admin:history           GET   in - in - - - - - - - - go
admin:history           POST  in - in - - - - - - - - go
admin:change            GET   in - in - - - - - - - - go
admin:change            POST  in - in - - - - - - - - 403
admin:old_change        GET   in - in - - - - - - - - go
admin:old_change        POST  in - in - - - - - - - - go
admin:catch_all         GET   in - in - - - - - - - - 404
admin:catch_all         POST  in - in - - - - - - - - 404

terminals               GET   405 - - - - - - - - - - -
terminals               POST  401 - - - - - - - - - - -
enrol                   GET   405 - - - - - - - - - - -
enrol                   POST  400 - - - - - - - - - - -
"""


def parts() -> list:
    """The areas of the counter keep their rows beside this file, in ``matrix_<area>.py``: ``ROWS`` as here, and
    ``world()``, which makes what their addresses name and returns {name in the address: value}."""
    found = sorted(path.stem for path in Path(__file__).parent.glob("matrix_*.py"))
    return [import_module(f"tests.counter.{name}") for name in found]


def expected() -> dict[tuple[str, str], dict[str, str]]:
    """(name, method) → who → word."""
    table: dict[tuple[str, str], dict[str, str]] = {}
    for line in "\n".join([MATRIX, *(part.ROWS for part in parts())]).splitlines():
        words = line.split()
        if not words or words[0] == "#":
            continue
        name, method, *cells = words
        assert len(cells) == len(WHO), line
        for place, cell in enumerate(cells):
            cells[place] = cells[place - 1] if cell == "-" else cell
        assert (name, method) not in table, line
        table[name, method] = dict(zip(WHO, cells, strict=True))
    return table
