"""The credits call as VB.NET programs put it on the wire: credits_http_client.py BASE_URL API_KEY path|query

They set a content type and a length of 0 on a GET.
"""

import http.client
import sys
from urllib.parse import urlsplit

base, key, form = sys.argv[1:]
parts = urlsplit(base)
connection = http.client.HTTPConnection(parts.netloc, timeout=10)
connection.request(
    "GET",
    parts.path + ("/me/" + key if form == "path" else "/me?apiKey=" + key),
    headers={
        "Content-Type": "application/json; charset=utf-8",
        "Content-Length": "0",
        "Connection": "Keep-Alive",
    },
)
response = connection.getresponse()
body = response.read().decode()
connection.close()
if response.status == http.HTTPStatus.OK:
    print(body)
else:
    sys.exit(body)
