<?php
// A send with PHP's curl functions: php send.php BASE_URL API_KEY NUMBERS MESSAGE
// A text as POSTFIELDS goes out as application/x-www-form-urlencoded, though it is JSON.

[, $base, $key, $numbers, $message] = $argv;

$handle = curl_init($base . '/send');
curl_setopt($handle, CURLOPT_POST, true);
curl_setopt($handle, CURLOPT_POSTFIELDS, json_encode([
    'apiKey' => $key,
    'phoneNumbers' => $numbers,
    'message' => $message,
    'sender' => 'PhpCurl',
]));
curl_setopt($handle, CURLOPT_RETURNTRANSFER, true);
curl_setopt($handle, CURLOPT_TIMEOUT, 10);
$answer = curl_exec($handle);
$failure = curl_error($handle);
curl_close($handle);

if ($answer === false) {
    fwrite(STDERR, $failure . PHP_EOL);
    exit(1);
}
echo $answer;
