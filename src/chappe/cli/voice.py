"""`chappe voice`: calls by way of a server's HTTP API, and the files that they play."""

from __future__ import annotations

import argparse
import json
import secrets
from pathlib import Path
from typing import Any
from urllib.parse import quote

from chappe.cli.client import add_client_flags, at_parts, call
from chappe.cli.refused import Refused


def add_to(groups: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:  # noqa: UP037  # pyright: ignore[reportPrivateUsage]
    """Adds the command group to the command line."""
    group = groups.add_parser("voice", help="make calls by way of a server")
    commands = group.add_subparsers(title="commands", metavar="COMMAND", required=True)

    send = commands.add_parser("send", help="call numbers, and speak a text or play a file")
    send.add_argument("numbers", metavar="NUMBER[,NUMBER...]", help="up to 500 numbers")
    send.add_argument("text", nargs="?", help="what is spoken; a comma is half a second")
    send.add_argument("--audio", metavar="TOKEN", help="a stored file; beside a text, for answering machines")
    send.add_argument("--lang", help="the language of the text: fr, en, ...")
    send.add_argument("--rate", type=float, help="0.5 to 2; 1 is as the voice speaks")
    _add_sending_flags(send)
    send.set_defaults(run=_send)

    deposit = commands.add_parser("deposit", help="leave a stored file on voicemails")
    deposit.add_argument("numbers", metavar="NUMBER[,NUMBER...]", help="up to 500 numbers")
    deposit.add_argument("audio", metavar="TOKEN", help="the stored file")
    deposit.add_argument("--sender", help="the number that is shown; one of the account's")
    deposit.add_argument("--email", help="who is told when the campaign has ended")
    _add_sending_flags(deposit)
    deposit.set_defaults(run=_deposit)

    cancel = commands.add_parser("cancel", help="take back a deferred campaign")
    cancel.add_argument("campaign", metavar="CAMPAIGN", help="the campaignId that was answered")
    add_client_flags(cancel)
    cancel.set_defaults(run=_cancel)

    audios = commands.add_parser("audios", help="the account's stored files")
    add_client_flags(audios)
    audios.set_defaults(run=_audios)

    upload = commands.add_parser("upload", help="store a file: WAV, MP3, FLAC or OGG")
    upload.add_argument("file", type=Path)
    upload.add_argument("--name", help="3 to 50 characters; else the file's own name")
    add_client_flags(upload)
    upload.set_defaults(run=_upload)


def _add_sending_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--at", metavar="'DD/MM/YYYY HH:MM'", help="deferred, on the clock of Paris")
    parser.add_argument("--notify-url", metavar="URL", help="where the outcome is told")
    parser.add_argument(
        "--idempotency-key", metavar="KEY", help="a repeated call under this key calls nobody twice"
    )
    add_client_flags(parser)


def _send(options: argparse.Namespace) -> int:
    if not options.text and not options.audio:
        raise Refused("give a text, or a stored file with --audio")
    body = {
        "text": options.text,
        "tokenAudio": options.audio,
        "lang": options.lang,
        "speechRate": options.rate,
    }
    return _begin(options, "/voice/v1/tts/send", body)


def _deposit(options: argparse.Namespace) -> int:
    body = {
        "tokenAudio": options.audio,
        "sender": options.sender,
        "emailForNotification": options.email,
    }
    return _begin(options, "/voice/v1/campaign/send", body)


def _begin(options: argparse.Namespace, path: str, more: dict[str, Any]) -> int:
    body = {"phoneNumbers": options.numbers, "notifyUrl": options.notify_url, **more}
    body = {name: value for name, value in body.items() if value is not None}
    if options.at:
        day, hour, minute = at_parts(options.at)
        date = "-".join(part.zfill(2) for part in reversed(day.split("/")))
        body["scheduledDate"] = f"{date} {hour.zfill(2)}:{minute.zfill(2)}:00"
    headers = {"Idempotency-Key": options.idempotency_key} if options.idempotency_key else {}
    return _print(call(options, path, body, headers))


def _cancel(options: argparse.Namespace) -> int:
    path = f"/voice/v1/campaign/cancel?campaignId={quote(options.campaign, safe='')}"
    return _print(call(options, path, method="DELETE"))


def _audios(options: argparse.Namespace) -> int:
    return _print(call(options, "/voice/v1/audios"))


def _upload(options: argparse.Namespace) -> int:
    try:
        content = options.file.read_bytes()
    except OSError as error:
        raise Refused(f"{options.file}: {error.strerror or error}") from error
    boundary = secrets.token_hex(16)
    # The name goes in a part of its own, so that no name of a file can break the header (RFC 7578, section 4.2).
    head = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="filename"\r\n\r\n{options.name or options.file.name}'
        f'\r\n--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="audio"\r\n\r\n'
    )
    body = head.encode() + content + f"\r\n--{boundary}--\r\n".encode()
    headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
    return _print(call(options, "/voice/v1/audio-file/upload", body, headers))


def _print(answer: dict[str, Any] | list[Any]) -> int:
    print(json.dumps(answer, ensure_ascii=False, indent=2))
    return 0
