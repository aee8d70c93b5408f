<?php
// The credits call with PHP's curl functions: php credits.php BASE_URL API_KEY path|query

[, $base, $key, $form] = $argv;

$handle = curl_init();
curl_setopt($handle, CURLOPT_URL, $form === 'path' ? $base . '/me/' . $key : $base . '/me?apiKey=' . $key);
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
