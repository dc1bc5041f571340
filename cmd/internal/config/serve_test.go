package config

import (
	"strings"
	"testing"
)

func TestThePageIsServedOnlyToWhoMaySeeIt(t *testing.T) {
	for _, test := range []struct{ serve, problem string }{
		{"{page: true}", ""},
		{"{page: true, listen: 'localhost:1'}", ""},
		{"{page: true, listen: '[::1]:8484'}", ""},
		{"{page: true, listen: 'unix:page.sock'}", ""},
		{"{page: true, listen: '0.0.0.0:8484', token_file: token}", ""},
		{"{page: true, listen: ':8484', identity_header: X-User, trusted_proxies: [10.0.0.7, 10.1.0.0/16]}", ""},
		{"{listen: ':8484', metrics: true}", ""},
		{"{page: true, listen: '0.0.0.0:8484'}", "nothing says who may see the page"},
		{"{page: true, listen: ':8484'}", "nothing says who may see the page"},
		{"{page: true, listen: 'backup.example.org:8484'}", "nothing says who may see the page"},
		{"{page: true, listen: 'unix:'}", "the path of a socket"},
		{"{page: true, listen: '8484'}", "is not an address"},
		{"{metrics: true}", "names no address"},
		{"{listen: ':8484', token_file: token}", "guard the page, which is not served"},
		{"{listen: ':8484', scratch: /srv/scratch}", "is for the page, which is not served"},
		{"{page: true, identity_header: X-User}", "anyone can send a header"},
		{"{page: true, trusted_proxies: [10.0.0.7]}", "trusted with nothing"},
		{"{page: true, identity_header: 'X-User: ann', trusted_proxies: [10.0.0.7]}", "not the name of a header"},
		{"{page: true, identity_header: X-User, trusted_proxies: [everybody]}", "everybody"},
		{"{page: true, tls_cert_file: a}", "go together"},
		{"{page: true, colour: blue}", "colour"},
	} {
		c, err := Parse("/etc/packstone/packstone.yaml", []byte("version: 1\nserve: "+test.serve+"\n"), func(string) (string, bool) { return "", false })
		switch {
		case test.problem == "" && err != nil:
			t.Errorf("%s: %v", test.serve, err)
		case test.problem != "" && (err == nil || !strings.Contains(err.Error(), test.problem)):
			t.Errorf("%s: got %v, want %q", test.serve, err, test.problem)
		case err == nil && c.Serve.Page && c.Serve.Listen == "":
			t.Errorf("%s: the page has no address", test.serve)
		}
	}
}

func TestPathsOfServeAreBesideTheSettings(t *testing.T) {
	c, err := Parse("/etc/packstone/packstone.yaml", []byte("version: 1\nserve: {page: true, listen: 'unix:page.sock', token_file: token}\n"), func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatal(err)
	}
	if c.Serve.Listen != "unix:/etc/packstone/page.sock" || c.Serve.TokenFile != "/etc/packstone/token" {
		t.Errorf("got %+v", c.Serve)
	}
}
