// A send with net/http: send BASE_URL API_KEY NUMBERS MESSAGE
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/ioutil"
	"net/http"
	"os"
)

// What is zero is left out, as Go programs write it.
type sms struct {
	APIKey       string `json:"apiKey"`
	PhoneNumbers string `json:"phoneNumbers"`
	Message      string `json:"message"`
	Sender       string `json:"sender,omitempty"`
	Gamme        int    `json:"gamme,omitempty"`
	IsStopSms    int    `json:"isStopSms,omitempty"`
	Time         int    `json:"time,omitempty"`
	Minute       int    `json:"minute,omitempty"`
}

func main() {
	message := sms{APIKey: os.Args[2], PhoneNumbers: os.Args[3], Message: os.Args[4], Sender: "GoNetHttp", Gamme: 1}
	body, err := json.Marshal(message)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}

	response, err := http.Post(os.Args[1]+"/send", "application/json", bytes.NewBuffer(body))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	defer response.Body.Close()

	answer, err := ioutil.ReadAll(response.Body)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(string(answer))
}
