#!/bin/sh
# The calls of Voice Partner with curl: voice.sh CURL BASE_URL API_KEY CALL ...
#   audios | rename TOKEN NAME | deposit TOKEN EMAIL NUMBERS DATE URL | tts NUMBERS TEXT DATE URL | cancel CAMPAIGN
# An empty DATE or URL is sent as it is.
curl=$1 base=$2 key=$3 call=$4
shift 4

post() {
    # -sS: without a terminal curl would draw its progress on standard error.
    exec "$curl" -sS -X POST "$base/$1" -H 'Content-Type: application/json' -d "$2"
}

case $call in
    audios) exec "$curl" -sS -X GET "$base/audios/$key" -H 'Cache-Control: no-cache' ;;
    rename)
        post audio-file/rename "{
            \"apiKey\": \"$key\",
            \"tokenAudio\": \"$1\",
            \"filename\": \"$2\"
        }"
        ;;
    deposit)
        post campaign/send "{
            \"apiKey\": \"$key\",
            \"tokenAudio\": \"$1\",
            \"emailForNotification\": \"$2\",
            \"phoneNumbers\": \"$3\",
            \"scheduledDate\": \"$4\",
            \"notifyUrl\": \"$5\"
        }"
        ;;
    tts)
        post tts/send "{
            \"apiKey\": \"$key\",
            \"phoneNumbers\": \"$1\",
            \"text\": \"$2\",
            \"speed\": \"1\",
            \"scheduledDate\": \"$3\",
            \"notifyUrl\": \"$4\"
        }"
        ;;
    cancel) exec "$curl" -sS -X DELETE "$base/campaign/cancel/$key/$1" -H 'cache-control: no-cache' ;;
esac
