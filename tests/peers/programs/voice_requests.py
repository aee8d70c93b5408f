"""The calls of Voice Partner with requests: voice_requests.py BASE_URL API_KEY CALL ...

audios | rename TOKEN NAME | deposit TOKEN EMAIL NUMBERS DATE URL | tts NUMBERS TEXT DATE URL | cancel CAMPAIGN

The text as `data` of a voice SMS goes out without any Content-Type. An empty DATE or URL is left out.
"""

import json
import sys

import requests

JSON = {"Content-Type": "application/json", "Cache-Control": "no-cache"}

base, key, call, *rest = sys.argv[1:]


def given(data):
    return json.dumps({name: value for name, value in data.items() if value != ""})


if call == "audios":
    answer = requests.get(f"{base}/audios/{key}", headers={"Cache-Control": "no-cache"})
elif call == "rename":
    token, name = rest
    data = {"apiKey": key, "tokenAudio": token, "filename": name}
    answer = requests.post(base + "/audio-file/rename", data=json.dumps(data), headers=JSON)
elif call == "deposit":
    token, email, numbers, date, url = rest
    data = {
        "apiKey": key,
        "tokenAudio": token,
        "emailForNotification": email,
        "phoneNumbers": numbers,
        "scheduledDate": date,
        "notifyUrl": url,
    }
    answer = requests.post(base + "/campaign/send", data=given(data), headers=JSON)
elif call == "tts":
    numbers, text, date, url = rest
    data = {
        "apiKey": key,
        "phoneNumbers": numbers,
        "text": text,
        "speed": "1",
        "scheduledDate": date,
        "notifyUrl": url,
    }
    answer = requests.post(base + "/tts/send", data=given(data))
else:
    answer = requests.delete(f"{base}/campaign/cancel/{key}/{rest[0]}", headers={"Cache-Control": "no-cache"})

if answer.status_code != 200:
    sys.exit(answer.text)
print(answer.text)
