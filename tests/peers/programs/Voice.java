// The calls of Voice Partner with java.net.http: java Voice BASE_URL API_KEY CALL ...
//   audios | rename TOKEN NAME | deposit TOKEN EMAIL NUMBERS DATE URL | tts NUMBERS TEXT DATE URL | cancel CAMPAIGN
// An empty DATE or URL is sent as it is.

import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;

public class Voice {
    public static void main(String[] given) {
        String base = given[0];
        String key = given[1];
        HttpRequest.Builder request = switch (given[2]) {
            case "audios" -> HttpRequest.newBuilder().uri(URI.create(base + "/audios/" + key));
            case "rename" -> post(base + "/audio-file/rename", """
                    {
                        "apiKey": "%s",
                        "tokenAudio": "%s",
                        "filename": "%s"
                    }
                    """.formatted(key, given[3], given[4]));
            case "deposit" -> post(base + "/campaign/send", """
                    {
                        "apiKey": "%s",
                        "tokenAudio": "%s",
                        "emailForNotification": "%s",
                        "phoneNumbers": "%s",
                        "scheduledDate": "%s",
                        "notifyUrl": "%s"
                    }
                    """.formatted(key, given[3], given[4], given[5], given[6], given[7]));
            case "tts" -> post(base + "/tts/send", """
                    {
                        "apiKey": "%s",
                        "phoneNumbers": "%s",
                        "text": "%s",
                        "speechRate": "1",
                        "scheduledDate": "%s",
                        "notifyUrl": "%s"
                    }
                    """.formatted(key, given[3], given[4], given[5], given[6]));
            case "cancel" -> HttpRequest.newBuilder()
                    .uri(URI.create(base + "/campaign/cancel/" + key + "/" + given[3]))
                    .DELETE();
            default -> throw new IllegalArgumentException(given[2]);
        };

        HttpClient client = HttpClient.newHttpClient();
        client.sendAsync(request.build(), BodyHandlers.ofString())
                .thenApply(HttpResponse::body)
                .thenAccept(System.out::println)
                .join();
    }

    private static HttpRequest.Builder post(String url, String json) {
        return HttpRequest.newBuilder()
                .uri(URI.create(url))
                .header("Content-Type", "application/json")
                .POST(BodyPublishers.ofString(json));
    }
}
