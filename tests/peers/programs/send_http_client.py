"""A send as VB.NET programs put it on the wire: send_http_client.py BASE_URL API_KEY NUMBERS MESSAGE

They wait for `100 Continue` before the body, and name the charset.
"""

import http.client
import json
import sys
from urllib.parse import urlsplit

base, key, numbers, message = sys.argv[1:]
body = json.dumps(
    {"apiKey": key, "phoneNumbers": numbers, "message": message, "sender": "VisualBasic"}, ensure_ascii=False
).encode()
parts = urlsplit(base)
connection = http.client.HTTPConnection(parts.netloc, timeout=10)
connection.putrequest("POST", parts.path + "/send")
connection.putheader("Content-Type", "application/json; charset=utf-8")
connection.putheader("Content-Length", str(len(body)))
connection.putheader("Expect", "100-continue")
connection.putheader("Connection", "Keep-Alive")
connection.endheaders()
connection.send(body)
response = connection.getresponse()  # which passes over the 100
answer = response.read().decode()
connection.close()
if response.status == http.HTTPStatus.OK:
    print(answer)
else:
    sys.exit(answer)
