"""The credits call with requests: credits_requests.py BASE_URL API_KEY path|query"""

import json
import sys

import requests

base, key, form = sys.argv[1:]
url = base + "/me/" + key if form == "path" else base + "/me?apiKey=" + key
answer = requests.get(url).json()
if answer.get("success") is True:
    print(json.dumps(answer))
else:
    sys.exit(json.dumps(answer))
