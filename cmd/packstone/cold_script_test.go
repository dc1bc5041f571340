package main

import (
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/packstone/packstone/archive/store/s3test"
)

// coldKey is where a script's environment keeps its server with storage classes.
type coldKey struct{}

// coldServer starts a server with storage classes, which ends with the script, and sets what one
// needs to use it. COLD_URL is its address.
func coldServer(ts *testscript.TestScript, neg bool, args []string) {
	t, ok := ts.Value(testKey{}).(testing.TB)
	server, kept := ts.Value(coldKey{}).(**s3test.Cold)
	if neg || !ok || !kept || len(args) > 0 {
		ts.Fatalf("usage: coldserver")
	}
	*server = s3test.StartCold(t)
	ts.Setenv("AWS_ENDPOINT_URL_S3", (*server).URL)
	ts.Setenv("COLD_URL", (*server).URL)
	ts.Setenv("AWS_REGION", "us-east-1")
	ts.Setenv("AWS_ACCESS_KEY_ID", "key")
	ts.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
}

// cold thaw|freeze ends the thaws that were asked for, or the days of all thaws. cold asked TEXT
// tests that each pack was asked for, with that text in the request, and cold unasked that none was.
// cold class PREFIX CLASS tests the class of the objects whose keys begin so.
func cold(ts *testscript.TestScript, neg bool, args []string) {
	server, ok := ts.Value(coldKey{}).(**s3test.Cold)
	if neg || !ok || *server == nil || len(args) == 0 {
		ts.Fatalf("usage: cold thaw|freeze|unasked|asked TEXT|class PREFIX CLASS")
	}
	switch strings.Join(args[:1], "") {
	case "thaw":
		(*server).Thaw()
	case "freeze":
		(*server).Freeze()
	case "unasked":
		if asked := (*server).Asked(); len(asked) > 0 {
			ts.Fatalf("asked for the thaw of %d objects", len(asked))
		}
	case "asked":
		coldAsked(ts, *server, args[1])
	case "class":
		coldClass(ts, *server, args[1], args[2])
	default:
		ts.Fatalf("unknown: cold %s", args[0])
	}
}

func coldAsked(ts *testscript.TestScript, server *s3test.Cold, text string) {
	asked := server.Asked()
	if len(asked) == 0 {
		ts.Fatalf("nothing was asked for")
	}
	for key, request := range asked {
		if !strings.Contains(key, "/packs/") || !strings.Contains(request, text) {
			ts.Fatalf("asked for %s with %s", key, request)
		}
	}
}

func coldClass(ts *testscript.TestScript, server *s3test.Cold, prefix, class string) {
	found := 0
	for key, got := range server.Classes() {
		if !strings.HasPrefix(key, prefix) {
			continue
		}
		if found++; got != class {
			ts.Fatalf("%s is of class %q", key, got)
		}
	}
	if found == 0 {
		ts.Fatalf("nothing begins with %s", prefix)
	}
}
