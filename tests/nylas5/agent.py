"""The official Python SDK of v2, in a process and a virtual environment of its own: it runs what it is told.

    .venv-nylas5/bin/python tests/nylas5/agent.py API_SERVER CLIENT_ID CLIENT_SECRET

A line of standard input is a JSON text: statements, of which the last is an expression. The answer is a line with its
value, or with what the SDK raised. ``client(token)`` is an account's own client, ``client()`` the application's.
"""

import ast
import json
import sys

from nylas import APIClient  # pyright: ignore[reportAttributeAccessIssue]
from nylas.client.errors import NylasApiError  # pyright: ignore[reportMissingImports]

server, client_id, client_secret = sys.argv[1:]


def client(token=None):
    return APIClient(client_id, client_secret, token, api_server=server)


names = {"client": client}
for line in sys.stdin:
    *statements, last = ast.parse(json.loads(line)).body
    try:
        exec(compile(ast.Module(statements, []), "told", "exec"), names)
        answer = {"value": eval(compile(ast.Expression(last.value), "told", "eval"), names)}
    except NylasApiError as e:
        answer = {"refused": {"status": e.response.status_code, **e.response.json()}}
    print(json.dumps(answer, default=str), flush=True)
