// A send with System.Net.Http: SendHttpClient BASE_URL API_KEY NUMBERS MESSAGE

using System;
using System.Net.Http;
using System.Text;
using System.Threading.Tasks;

public static class SendHttpClient
{
    // Mono's compiler takes no `async Task Main`.
    public static int Main(string[] arguments)
    {
        return Run(arguments[0], arguments[1], arguments[2], arguments[3]).GetAwaiter().GetResult();
    }

    private static async Task<int> Run(string root, string key, string numbers, string message)
    {
        var json = $"{{\"apiKey\": \"{key}\", \"phoneNumbers\": \"{numbers}\", \"message\": \"{message}\", "
            + "\"sender\": \"HttpClient\"}";

        using (var client = new HttpClient())
        {
            try
            {
                var content = new StringContent(json, Encoding.UTF8, "application/json");
                var response = await client.PostAsync(root + "/send", content);
                Console.WriteLine(await response.Content.ReadAsStringAsync());
                return 0;
            }
            catch (Exception failure)
            {
                Console.Error.WriteLine(failure.Message);
                return 1;
            }
        }
    }
}
