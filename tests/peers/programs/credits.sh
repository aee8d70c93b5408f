#!/bin/sh
# The credits call with curl: credits.sh CURL BASE_URL API_KEY path|query
curl=$1 base=$2 key=$3 form=$4

case $form in
    path) url=$base/me/$key ;;
    query) url="$base/me?apiKey=$key" ;;
esac
# -sS: without a terminal curl would draw its progress on standard error.
exec "$curl" -sS -H "Content-Type: application/json" -X GET "$url"
