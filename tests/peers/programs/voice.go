// The calls of Voice Partner with net/http: voice BASE_URL API_KEY CALL ...
//
//	audios | rename TOKEN NAME | deposit TOKEN EMAIL NUMBERS DATE URL | tts NUMBERS TEXT DATE URL | cancel CAMPAIGN
//
// An empty DATE or URL is left out.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/ioutil"
	"net/http"
	"os"
)

type deposit struct {
	APIKey               string  `json:"apiKey"`
	TokenAudio           string  `json:"tokenAudio"`
	EmailForNotification string  `json:"emailForNotification"`
	PhoneNumbers         string  `json:"phoneNumbers"`
	ScheduledDate        *string `json:"scheduledDate,omitempty"`
	NotifyURL            *string `json:"notifyUrl,omitempty"`
}

type speech struct {
	APIKey        string   `json:"apiKey"`
	Text          string   `json:"text"`
	PhoneNumbers  string   `json:"phoneNumbers"`
	Lang          *string  `json:"lang,omitempty"`
	SpeechRate    *float64 `json:"speechRate,omitempty"`
	NotifyURL     *string  `json:"notifyUrl,omitempty"`
	ScheduledDate *string  `json:"scheduledDate,omitempty"`
}

func optional(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

func ask(method string, url string, data interface{}) {
	var body bytes.Buffer
	if data != nil {
		if err := json.NewEncoder(&body).Encode(data); err != nil {
			fail(err)
		}
	}
	request, err := http.NewRequest(method, url, &body)
	if err != nil {
		fail(err)
	}
	if data != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		fail(err)
	}
	defer response.Body.Close()
	answer, err := ioutil.ReadAll(response.Body)
	if err != nil {
		fail(err)
	}
	fmt.Println(string(answer))
}

func main() {
	base, key, rest := os.Args[1], os.Args[2], os.Args[4:]
	lang, rate := "fr", 1.0
	switch os.Args[3] {
	case "audios":
		ask("GET", fmt.Sprintf("%s/audios/%s", base, key), nil)
	case "rename":
		data := map[string]string{"apiKey": key, "tokenAudio": rest[0], "filename": rest[1]}
		ask("POST", base+"/audio-file/rename", data)
	case "deposit":
		ask("POST", base+"/campaign/send", deposit{
			APIKey: key, TokenAudio: rest[0], EmailForNotification: rest[1], PhoneNumbers: rest[2],
			ScheduledDate: optional(rest[3]), NotifyURL: optional(rest[4]),
		})
	case "tts":
		ask("POST", base+"/tts/send", speech{
			APIKey: key, PhoneNumbers: rest[0], Text: rest[1], Lang: &lang, SpeechRate: &rate,
			ScheduledDate: optional(rest[2]), NotifyURL: optional(rest[3]),
		})
	case "cancel":
		ask("DELETE", fmt.Sprintf("%s/campaign/cancel/%s/%s", base, key, rest[0]), nil)
	}
}
