// A send with java.net.http: java Send BASE_URL API_KEY NUMBERS MESSAGE
// Over plain HTTP this client offers an upgrade to HTTP/2 (h2c) with its request, body and all.

import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;

public class Send {
    public static void main(String[] arguments) throws Exception {
        String body = String.format(
                "{\"apiKey\": \"%s\", \"phoneNumbers\": \"%s\", \"message\": \"%s\", \"sender\": \"Java\"}",
                arguments[1], arguments[2], arguments[3]);

        HttpRequest request = HttpRequest.newBuilder()
                .uri(URI.create(arguments[0] + "/send"))
                .header("Content-Type", "application/json")
                .POST(BodyPublishers.ofString(body))
                .build();
        HttpResponse<String> response = HttpClient.newHttpClient().send(request, BodyHandlers.ofString());
        System.out.println(response.body());
    }
}
