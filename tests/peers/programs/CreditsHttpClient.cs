// The credits call with System.Net.Http: CreditsHttpClient BASE_URL API_KEY path|query

using System;
using System.Net.Http;
using System.Threading.Tasks;

public static class CreditsHttpClient
{
    // Mono's compiler takes no `async Task Main`.
    public static int Main(string[] arguments)
    {
        return Run(arguments[0], arguments[1], arguments[2]).GetAwaiter().GetResult();
    }

    private static async Task<int> Run(string root, string key, string form)
    {
        var url = form == "path" ? $"{root}/me/{key}" : $"{root}/me?apiKey={key}";

        using (var client = new HttpClient())
        {
            try
            {
                var response = await client.GetAsync(url);
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
