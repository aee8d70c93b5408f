#!/bin/sh
# A send with curl: send.sh CURL BASE_URL API_KEY NUMBERS MESSAGE
curl=$1 base=$2 key=$3 numbers=$4 message=$5

body="{\"apiKey\": \"$key\", \"phoneNumbers\": \"$numbers\", \"message\": \"$message\", \"sender\": \"Curl\"}"
# -sS: without a terminal curl would draw its progress on standard error.
exec "$curl" -sS -H "Content-Type: application/json" -X POST -d "$body" "$base/send"
