// The calls of Voice Partner with System.Net.Http: VoiceHttpClient BASE_URL API_KEY CALL ...
//   audios | rename TOKEN NAME | deposit TOKEN EMAIL NUMBERS DATE URL | tts NUMBERS TEXT DATE URL | cancel CAMPAIGN
// An empty DATE or URL is null in the JSON, as serialisers write it.

using System;
using System.Net.Http;
using System.Text;
using System.Threading.Tasks;

public static class VoiceHttpClient
{
    // Mono's compiler takes no `async Task Main`.
    public static int Main(string[] given)
    {
        using (var client = new HttpClient())
        {
            try
            {
                var response = Ask(client, given[0], given[1], given).GetAwaiter().GetResult();
                Console.WriteLine(response.Content.ReadAsStringAsync().GetAwaiter().GetResult());
                return 0;
            }
            catch (Exception failure)
            {
                Console.Error.WriteLine(failure.Message);
                return 1;
            }
        }
    }

    private static Task<HttpResponseMessage> Ask(HttpClient client, string root, string key, string[] given)
    {
        switch (given[2])
        {
            case "audios":
                return client.GetAsync($"{root}/audios/{key}");
            case "rename":
                return Post(client, root + "/audio-file/rename",
                    $"{{\"apiKey\":\"{key}\",\"tokenAudio\":\"{given[3]}\",\"filename\":\"{given[4]}\"}}");
            case "deposit":
                return Post(client, root + "/campaign/send",
                    $"{{\"apiKey\":\"{key}\",\"tokenAudio\":\"{given[3]}\",\"emailForNotification\":\"{given[4]}\","
                    + $"\"phoneNumbers\":\"{given[5]}\",\"scheduledDate\":{Text(given[6])},\"notifyUrl\":{Text(given[7])}}}");
            case "tts":
                return Post(client, root + "/tts/send",
                    $"{{\"apiKey\":\"{key}\",\"text\":\"{given[4]}\",\"phoneNumbers\":\"{given[3]}\",\"lang\":\"fr\","
                    + $"\"speechRate\":1.0,\"notifyUrl\":{Text(given[6])},\"scheduledDate\":{Text(given[5])}}}");
            default:
                return client.DeleteAsync($"{root}/campaign/cancel/{key}/{given[3]}");
        }
    }

    private static Task<HttpResponseMessage> Post(HttpClient client, string url, string json)
    {
        return client.PostAsync(url, new StringContent(json, Encoding.UTF8, "application/json"));
    }

    private static string Text(string value)
    {
        return value == "" ? "null" : "\"" + value + "\"";
    }
}
