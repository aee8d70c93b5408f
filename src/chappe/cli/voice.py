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

TOKEN = "5e0c1b7f2a9d4c3e8b6a7d1f0e9c8b7a"  # noqa: S105 - an audio file's, in examples


def add_to(groups: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:  # noqa: UP037  # pyright: ignore[reportPrivateUsage]
    """Adds the command group to the command line."""
    group = groups.add_parser(
        "voice",
        help="make calls by way of a server",
        description="Calls of Voice Partner, made to a server over HTTP. They print its answer as JSON, and exit 1 with its"
        " words when it refuses. The address is that of --url or CHAPPE_URL, the key that of --key or CHAPPE_KEY.",
    )
    commands = group.add_subparsers(title="commands", metavar="COMMAND", required=True)

    send = _command(
        commands,
        "send",
        "call numbers, and speak a text or play a file",
        "chappe voice send 0600000000 'Bonjour, ici Chappe'",
        f"chappe voice send 0600000000,0600000001 --audio {TOKEN} --at '31/12/2099 10:30'",
    )
    send.add_argument("numbers", metavar="NUMBER[,NUMBER...]", help="up to 500 numbers")
    send.add_argument("text", nargs="?", help="what is spoken; a comma is half a second")
    send.add_argument(
        "--audio",
        metavar="TOKEN",
        help="a stored file (its tokenAudio); beside a text, for answering machines",
    )
    send.add_argument("--lang", help="the language of the text: fr, en, ...")
    send.add_argument("--rate", type=float, help="0.5 to 2; 1 is as the voice speaks")
    _add_sending_flags(send)
    send.set_defaults(run=_send)

    deposit = _command(
        commands,
        "deposit",
        "leave a stored file on voicemails",
        f"chappe voice deposit 0612345678,0600000001 {TOKEN}",
        f"chappe voice deposit 0612345678 {TOKEN} --notify-url https://example.org/end",
    )
    deposit.add_argument("numbers", metavar="NUMBER[,NUMBER...]", help="up to 500 numbers")
    deposit.add_argument("audio", metavar="TOKEN", help="the stored file: its tokenAudio")
    deposit.add_argument("--sender", metavar="NUMBER", help="the number that is shown; one of the account's")
    deposit.add_argument("--email", help="who is told when the campaign has ended")
    _add_sending_flags(deposit)
    deposit.set_defaults(run=_deposit)

    cancel = _command(
        commands,
        "cancel",
        "take back a deferred campaign, with its credit, until its date",
        "chappe voice cancel Zk29dmQ0abR7",
    )
    cancel.add_argument("campaign", metavar="CAMPAIGN", help="the campaignId that was answered")
    add_client_flags(cancel)
    cancel.set_defaults(run=_cancel)

    audios = _command(commands, "audios", "the account's stored files", "chappe voice audios")
    add_client_flags(audios)
    audios.set_defaults(run=_audios)

    upload = _command(
        commands,
        "upload",
        "store a file: WAV, MP3, FLAC or OGG",
        "chappe voice upload rappel-rdv.mp3 --name 'Rappel de mars'",
    )
    upload.add_argument("file", type=Path, metavar="FILE", help="at most 25 MiB and five minutes")
    upload.add_argument("--name", help="3 to 50 characters; else the file's own name")
    add_client_flags(upload)
    upload.set_defaults(run=_upload)


def _command(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]",  # noqa: UP037  # pyright: ignore[reportPrivateUsage]
    name: str,
    what: str,
    *examples: str,
) -> argparse.ArgumentParser:
    return commands.add_parser(
        name,
        help=what,
        description=f"{what[0].upper()}{what[1:]}.",
        epilog="\n".join(
            ["examples:" if len(examples) > 1 else "example:", *(f"  {line}" for line in examples)]
        ),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def _add_sending_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--at", metavar="'DD/MM/YYYY HH:MM'", help="deferred, on the clock of Paris")
    parser.add_argument(
        "--notify-url", metavar="URL", help="where the outcome is told, by POST (send) or GET (deposit)"
    )
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
