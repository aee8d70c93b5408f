"""`chappe credits`, `sms send`, `status`: the commands that call a server's HTTP API, as any client would."""

from __future__ import annotations

import argparse
import http.client
import json
import os
import re
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

from chappe.cli.refused import Refused

DEFAULT_URL = "http://127.0.0.1:8000"
TIMEOUT_S = 30.0

_AT = re.compile(r"(\d{1,2}/\d{1,2}/\d{4}) +(\d{1,2}):(\d{1,2})")


def add_to(groups: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:  # noqa: UP037  # pyright: ignore[reportPrivateUsage]
    """Adds the client commands to the command line."""
    credits = groups.add_parser("credits", help="what an account can spend, asked of a server")
    credits.add_argument("--product", choices=("sms", "voice", "mail"), default="sms")
    add_client_flags(credits)
    credits.set_defaults(run=_credits)

    sms = groups.add_parser("sms", help="send an SMS by way of a server")
    sms_commands = sms.add_subparsers(title="commands", metavar="COMMAND", required=True)
    send = sms_commands.add_parser("send", help="send an SMS")
    send.add_argument("numbers", metavar="NUMBER[,NUMBER...]", help="up to 500 numbers")
    send.add_argument("message", help="the text")
    send.add_argument("--sender", help="3 to 11 letters and digits")
    send.add_argument("--tag", help="up to 20 characters")
    send.add_argument("--unicode", action="store_true", help="keep every character, 70 to an SMS")
    send.add_argument("--stop", action="store_true", help="append STOP and the short number to answer to")
    send.add_argument("--sandbox", action="store_true", help="try it: nothing leaves, nothing is debited")
    send.add_argument(
        "--at", metavar="'DD/MM/YYYY HH:MM'", help="deferred, on the clock of Paris, minutes by 5"
    )
    send.add_argument("--url-dlr", metavar="URL", help="where delivery reports are posted")
    send.add_argument("--url-response", metavar="URL", help="where replies are posted")
    send.add_argument(
        "--idempotency-key", metavar="KEY", help="a repeated call under this key sends nothing twice"
    )
    add_client_flags(send)
    send.set_defaults(run=_send)

    status = groups.add_parser("status", help="what became of an SMS, asked of a server")
    status.add_argument("message_id", type=int)
    status.add_argument("number", nargs="?", help="one of its numbers; all of them when left out")
    add_client_flags(status)
    status.set_defaults(run=_status)


def add_client_flags(parser: argparse.ArgumentParser) -> None:
    """Where the server is and who asks."""
    parser.add_argument("--url", help=f"the server (CHAPPE_URL; default {DEFAULT_URL})")
    parser.add_argument("--key", help="the API key (CHAPPE_KEY)")


def call(
    options: argparse.Namespace,
    path: str,
    body: dict[str, Any] | bytes | None = None,
    headers: dict[str, str] | None = None,
    *,
    method: str | None = None,
) -> Any:
    """GETs `path`, or POSTs `body`, with the key in a header; raises `Refused` with the server's own words.

    A dict is sent as JSON, octets as they are; what comes back is the JSON that was answered.
    """
    url = (options.url or os.environ.get("CHAPPE_URL") or DEFAULT_URL).rstrip("/")
    key = options.key or os.environ.get("CHAPPE_KEY")
    if not key:
        raise Refused("give the API key with --key or CHAPPE_KEY")
    if urllib.parse.urlsplit(url).scheme not in ("http", "https"):
        raise Refused(f"{url} is not an http or https address")
    if not (key.isascii() and key.isprintable()):
        raise Refused("the API key has characters that no key has")
    request = urllib.request.Request(  # noqa: S310 - scheme checked above
        url + path,
        data=json.dumps(body).encode() if isinstance(body, dict) else body,
        method=method,
        headers={
            "X-Api-Key": key,
            "Accept-Language": "en",
            "Content-Type": "application/json",
            **(headers or {}),
        },
    )
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as response:  # noqa: S310 - scheme checked above
            return json.load(response)
    except urllib.error.HTTPError as error:
        with error:
            try:
                answer: dict[str, Any] = json.load(error)
                faults = "".join(f"; {fault['message']}" for fault in answer.get("errors", ()))
                reason = f"{answer['message']} (code {answer['code']}){faults}"
            except (ValueError, KeyError, TypeError):
                reason = f"{url} answered {error.code}"
        raise Refused(reason) from error
    except (OSError, ValueError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        raise Refused(f"{url} does not answer ({reason}): is it the address? --url or CHAPPE_URL") from error


def at_parts(text: str) -> tuple[str, str, str]:
    """Day, hour and minute of an `--at`; raises `Refused`."""
    at = _AT.fullmatch(text.strip())
    if at is None:
        raise Refused(f"--at {text!r} is not 'DD/MM/YYYY HH:MM', such as '24/12/2026 18:30'")
    day, hour, minute = at.groups()
    return day, hour, minute


def _credits(options: argparse.Namespace) -> int:
    print(json.dumps(call(options, f"/{options.product}/v1/me"), ensure_ascii=False, indent=2))
    return 0


def _send(options: argparse.Namespace) -> int:
    body: dict[str, Any] = {"phoneNumbers": options.numbers, "message": options.message}
    given = {
        "sender": options.sender,
        "tag": options.tag,
        "isUnicode": int(options.unicode),
        "isStopSms": int(options.stop),
        "sandbox": int(options.sandbox),
        "urlDlr": options.url_dlr,
        "urlResponse": options.url_response,
    }
    body.update({name: value for name, value in given.items() if value})
    if options.at:
        body["scheduledDeliveryDate"], body["time"], body["minute"] = at_parts(options.at)
    headers = {"Idempotency-Key": options.idempotency_key} if options.idempotency_key else {}
    print(json.dumps(call(options, "/sms/v1/send", body, headers), ensure_ascii=False, indent=2))
    return 0


def _status(options: argparse.Namespace) -> int:
    query = {"messageId": options.message_id}
    path = "/sms/v1/bulk-status"
    if options.number:
        query["phoneNumber"] = options.number
        path = "/sms/v1/message-status"
    answer = call(options, f"{path}?{urllib.parse.urlencode(query)}")
    print(json.dumps(answer, ensure_ascii=False, indent=2))
    return 0
