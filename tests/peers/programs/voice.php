<?php
// The calls of Voice Partner with PHP's curl functions: php voice.php BASE_URL API_KEY CALL ...
//   audios | rename TOKEN NAME | deposit TOKEN EMAIL NUMBERS DATE URL | tts NUMBERS TEXT DATE URL | cancel CAMPAIGN
// An empty DATE or URL is left out.

[, $base, $key, $call] = $argv;
$rest = array_slice($argv, 4);

function ask(string $url, ?array $data, string $method): void
{
    $handle = curl_init($url);
    curl_setopt($handle, CURLOPT_RETURNTRANSFER, true);
    curl_setopt($handle, CURLOPT_TIMEOUT, 10);
    $headers = ['Cache-Control: no-cache'];
    if ($data !== null) {
        $headers[] = 'Content-Type: application/json';
        curl_setopt($handle, CURLOPT_POST, true);
        curl_setopt($handle, CURLOPT_POSTFIELDS, json_encode($data));
    } elseif ($method !== 'GET') {
        curl_setopt($handle, CURLOPT_CUSTOMREQUEST, $method);
    }
    curl_setopt($handle, CURLOPT_HTTPHEADER, $headers);
    $answer = curl_exec($handle);
    if (curl_errno($handle)) {
        fwrite(STDERR, curl_error($handle) . PHP_EOL);
        exit(1);
    }
    curl_close($handle);
    echo $answer;
}

switch ($call) {
    case 'audios':
        ask("$base/audios/$key", null, 'GET');
        break;
    case 'rename':
        ask("$base/audio-file/rename", ['apiKey' => $key, 'tokenAudio' => $rest[0], 'filename' => $rest[1]], 'POST');
        break;
    case 'deposit':
        ask("$base/campaign/send", array_filter([
            'apiKey' => $key,
            'tokenAudio' => $rest[0],
            'emailForNotification' => $rest[1],
            'phoneNumbers' => $rest[2],
            'scheduledDate' => $rest[3],
            'notifyUrl' => $rest[4],
        ]), 'POST');
        break;
    case 'tts':
        ask("$base/tts/send", array_filter([
            'apiKey' => $key,
            'phoneNumbers' => $rest[0],
            'text' => $rest[1],
            'lang' => 'fr',
            'speed' => '1',
            'scheduledDate' => $rest[2],
            'notifyUrl' => $rest[3],
        ]), 'POST');
        break;
    case 'cancel':
        ask("$base/campaign/cancel/$key/$rest[0]", null, 'DELETE');
        break;
}
