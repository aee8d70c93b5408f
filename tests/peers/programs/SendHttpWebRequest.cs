// A send with HttpWebRequest, the library that VB.NET programs use:
// SendHttpWebRequest BASE_URL API_KEY NUMBERS MESSAGE

using System;
using System.IO;
using System.Net;
using System.Text;

public static class SendHttpWebRequest
{
    public static int Main(string[] arguments)
    {
        string json = "{\"apiKey\": \"" + arguments[1] + "\", \"phoneNumbers\": \"" + arguments[2]
            + "\", \"message\": \"" + arguments[3] + "\", \"sender\": \"WebRequest\"}";
        byte[] body = Encoding.UTF8.GetBytes(json);

        var request = (HttpWebRequest)WebRequest.Create(arguments[0] + "/send");
        request.Method = "POST";
        request.Timeout = 10000;
        request.ContentType = "application/json; charset=utf-8";
        request.ContentLength = body.Length;

        try
        {
            using (Stream stream = request.GetRequestStream())
            {
                stream.Write(body, 0, body.Length);
            }
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
