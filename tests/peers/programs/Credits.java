// The credits call with java.net.http: java Credits BASE_URL API_KEY path|query
// Over plain HTTP this client offers an upgrade to HTTP/2 (h2c) with its first request.

import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;

public class Credits {
    public static void main(String[] arguments) {
        String base = arguments[0];
        String key = arguments[1];
        String url = arguments[2].equals("path") ? base + "/me/" + key : base + "/me?apiKey=" + key;

        HttpRequest request = HttpRequest.newBuilder().uri(URI.create(url)).build();
        HttpClient.newHttpClient()
                .sendAsync(request, BodyHandlers.ofString())
                .thenApply(HttpResponse::body)
                .thenAccept(System.out::println)
                .exceptionally(failure -> {
                    System.err.println(failure.getMessage());
                    System.exit(1);
                    return null;
                })
                .join();
    }
}
