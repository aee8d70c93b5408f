"""A send with requests: send_requests.py BASE_URL API_KEY NUMBERS MESSAGE

A text as `data` goes out without any Content-Type.
"""

import json
import sys

import requests

base, key, numbers, message = sys.argv[1:]
body = {"apiKey": key, "phoneNumbers": numbers, "message": message, "sender": "PyRequests"}
answer = requests.post(base + "/send", data=json.dumps(body)).json()
if answer.get("success") is True:
    print(json.dumps(answer))
else:
    sys.exit(json.dumps(answer))
