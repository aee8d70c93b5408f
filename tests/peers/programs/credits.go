// The credits call with net/http: credits BASE_URL API_KEY path|query
package main

import (
	"fmt"
	"io/ioutil"
	"net/http"
	"os"
)

func main() {
	base, key, form := os.Args[1], os.Args[2], os.Args[3]
	url := fmt.Sprintf("%s/me?apiKey=%s", base, key)
	if form == "path" {
		url = fmt.Sprintf("%s/me/%s", base, key)
	}

	response, err := http.Get(url)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	defer response.Body.Close()

	body, err := ioutil.ReadAll(response.Body)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(string(body))
}
