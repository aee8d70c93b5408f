"""The calls of Voice Partner as VB.NET programs put them on the wire: voice_http_client.py BASE_URL API_KEY CALL ...

audios | rename TOKEN NAME | deposit TOKEN EMAIL NUMBERS DATE URL | tts NUMBERS TEXT DATE URL | cancel CAMPAIGN

They set a content type and a length of 0 where there is no body, and wait for `100 Continue` before one. An empty DATE
or URL is sent as it is.
"""

import http.client
import json
import sys
from urllib.parse import urlsplit

base, key, call, *rest = sys.argv[1:]
parts = urlsplit(base)


def ask(method, path, **data):
    body = json.dumps(data, ensure_ascii=False).encode() if data else b""
    connection = http.client.HTTPConnection(parts.netloc, timeout=10)
    connection.putrequest(method, parts.path + path)
    connection.putheader("Content-Type", "application/json; charset=utf-8")
    connection.putheader("Content-Length", str(len(body)))
    if body:
        connection.putheader("Expect", "100-continue")
    connection.putheader("Connection", "Keep-Alive")
    connection.endheaders()
    connection.send(body)
    response = connection.getresponse()  # which passes over the 100
    answer = response.read().decode()
    connection.close()
    if response.status != http.HTTPStatus.OK:
        sys.exit(answer)
    print(answer)


if call == "audios":
    ask("GET", f"/audios/{key}")
elif call == "rename":
    token, name = rest
    ask("POST", "/audio-file/rename", apiKey=key, tokenAudio=token, filename=name)
elif call == "deposit":
    token, email, numbers, date, url = rest
    ask(
        "POST",
        "/campaign/send",
        apiKey=key,
        tokenAudio=token,
        emailForNotification=email,
        phoneNumbers=numbers,
        scheduledDate=date,
        notifyUrl=url,
    )
elif call == "tts":
    numbers, text, date, url = rest
    ask("POST", "/tts/send", apiKey=key, phoneNumbers=numbers, text=text, scheduledDate=date, notifyUrl=url)
else:
    ask("DELETE", f"/campaign/cancel/{key}/{rest[0]}")
