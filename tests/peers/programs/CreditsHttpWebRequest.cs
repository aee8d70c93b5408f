// The credits call with HttpWebRequest, the library that VB.NET programs use:
// CreditsHttpWebRequest BASE_URL API_KEY path|query

using System;
using System.IO;
using System.Net;

public static class CreditsHttpWebRequest
{
    public static int Main(string[] arguments)
    {
        string url = arguments[0] + (arguments[2] == "path" ? "/me/" : "/me?apiKey=") + arguments[1];
        var request = (HttpWebRequest)WebRequest.Create(url);
        request.Method = "GET";
        request.Timeout = 10000;
        request.ContentType = "application/json; charset=utf-8";
        request.ContentLength = 0;

        try
        {
            using (var response = (HttpWebResponse)request.GetResponse())
            {
                Console.WriteLine(BodyOf(response));
                return 0;
            }
        }
        catch (WebException failure)
        {
            // Thrown for every status but 2xx; the answer hangs on the exception.
            Console.Error.WriteLine(failure.Response == null ? failure.Message : BodyOf(failure.Response));
            return 1;
        }
    }

    private static string BodyOf(WebResponse response)
    {
        using (var reader = new StreamReader(response.GetResponseStream()))
        {
            return reader.ReadToEnd();
        }
    }
}
