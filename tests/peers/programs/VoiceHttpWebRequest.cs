// The calls of Voice Partner with HttpWebRequest, the library that VB.NET programs use:
// VoiceHttpWebRequest BASE_URL API_KEY CALL ...
//   audios | rename TOKEN NAME | deposit TOKEN EMAIL NUMBERS DATE URL | tts NUMBERS TEXT DATE URL | cancel CAMPAIGN
// An empty DATE or URL is sent as it is.

using System;
using System.IO;
using System.Net;
using System.Text;

public static class VoiceHttpWebRequest
{
    public static int Main(string[] given)
    {
        string root = given[0], key = given[1];
        switch (given[2])
        {
            case "audios":
                return Ask("GET", root + "/audios/" + key, null);
            case "rename":
                return Ask("POST", root + "/audio-file/rename",
                    Json("apiKey", key, "tokenAudio", given[3], "filename", given[4]));
            case "deposit":
                return Ask("POST", root + "/campaign/send",
                    Json("apiKey", key, "tokenAudio", given[3], "emailForNotification", given[4],
                        "phoneNumbers", given[5], "scheduledDate", given[6], "notifyUrl", given[7]));
            case "tts":
                return Ask("POST", root + "/tts/send",
                    Json("apiKey", key, "phoneNumbers", given[3], "text", given[4],
                        "scheduledDate", given[5], "notifyUrl", given[6]));
            default:
                return Ask("DELETE", root + "/campaign/cancel/" + key + "/" + given[3], null);
        }
    }

    private static string Json(params string[] pairs)
    {
        var json = new StringBuilder("{");
        for (int i = 0; i < pairs.Length; i += 2)
        {
            json.Append(i > 0 ? ", \"" : "\"").Append(pairs[i]).Append("\": \"").Append(pairs[i + 1]).Append('"');
        }
        return json.Append('}').ToString();
    }

    private static int Ask(string method, string url, string json)
    {
        var request = (HttpWebRequest)WebRequest.Create(url);
        request.Method = method;
        request.Timeout = 10000;
        request.ContentType = "application/json; charset=utf-8";
        request.ContentLength = 0;

        try
        {
            if (json != null)
            {
                byte[] body = Encoding.UTF8.GetBytes(json);
                request.ContentLength = body.Length;
                using (Stream stream = request.GetRequestStream())
                {
                    stream.Write(body, 0, body.Length);
                }
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
