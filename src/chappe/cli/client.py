"""`chappe credits`: the commands that call a server's HTTP API, as any client would."""

from __future__ import annotations

import argparse
import http.client
import json
import os
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

from chappe.cli.refused import Refused

DEFAULT_URL = "http://127.0.0.1:8000"
TIMEOUT_S = 30.0


def add_to(groups: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:  # noqa: UP037  # pyright: ignore[reportPrivateUsage]
    """Adds the client commands to the command line."""
    credits = groups.add_parser("credits", help="what an account can spend, asked of a server")
    credits.add_argument("--product", choices=("sms", "voice", "mail"), default="sms")
    add_client_flags(credits)
    credits.set_defaults(run=_credits)


def add_client_flags(parser: argparse.ArgumentParser) -> None:
    """Where the server is and who asks."""
    parser.add_argument("--url", help=f"the server (CHAPPE_URL; default {DEFAULT_URL})")
    parser.add_argument("--key", help="the API key (CHAPPE_KEY)")


def call(options: argparse.Namespace, path: str) -> dict[str, Any]:
    """GETs `path` with the key in a header; raises `Refused` with the server's own words."""
    url = (options.url or os.environ.get("CHAPPE_URL") or DEFAULT_URL).rstrip("/")
    key = options.key or os.environ.get("CHAPPE_KEY")
    if not key:
        raise Refused("give the API key with --key or CHAPPE_KEY")
    if urllib.parse.urlsplit(url).scheme not in ("http", "https"):
        raise Refused(f"{url} is not an http or https address")
    if not (key.isascii() and key.isprintable()):
        raise Refused("the API key has characters that no key has")
    request = urllib.request.Request(url + path, headers={"X-Api-Key": key, "Accept-Language": "en"})  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as response:  # noqa: S310 - scheme checked above
            return json.load(response)
    except urllib.error.HTTPError as error:
        with error:
            try:
                answer: dict[str, Any] = json.load(error)
                reason = f"{answer['message']} (code {answer['code']})"
            except (ValueError, KeyError, TypeError):
                reason = f"{url} answered {error.code}"
        raise Refused(reason) from error
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise Refused(f"{url} does not answer: {error}") from error


def _credits(options: argparse.Namespace) -> int:
    print(json.dumps(call(options, f"/{options.product}/v1/me"), ensure_ascii=False, indent=2))
    return 0
