package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/packstone/packstone/archive/store/localdir"
	"github.com/packstone/packstone/catalog/forgetest"
	"github.com/packstone/packstone/crypto"
)

// forge DIR KEYFILE HOST [set=SET] [lane=N] [missed=N] [clear.KEY=VALUE] [sealed.KEY=VALUE]
// [PATH:CONTENT] commits a snapshot to the repository in DIR, as archive/FORMAT.md has it, with a
// writer's key, and prints its id. clear and sealed say what its two parts say instead of what is
// right. forge DIR KEYFILE record LANE KIND [KEY=VALUE] adds another record.
func forge(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 {
		ts.Fatalf("usage: forge DIR KEYFILE HOST [set=SET] [lane=N] [missed=N] [clear.KEY=VALUE] [sealed.KEY=VALUE] [PATH:CONTENT]")
	}
	storage, err := localdir.Open(ts.MkAbs(args[0]))
	ts.Check(err)
	file, err := os.Open(ts.MkAbs(args[1]))
	ts.Check(err)
	defer file.Close()
	key, err := crypto.ParseWriterFile(file)
	ts.Check(err)
	f := forgetest.New(storage, key)
	var id string
	if args[2] == "record" {
		id, err = f.Record(context.Background(), args[3], args[4], values(ts, args[5:], ""))
	} else {
		id, err = f.Commit(context.Background(), forgery(ts, args[2], args[3:]))
	}
	ts.Check(err)
	fmt.Fprintln(ts.Stdout(), id)
}

// forgery reads what a forged snapshot says.
func forgery(ts *testscript.TestScript, host string, args []string) forgetest.Snapshot {
	s := forgetest.Snapshot{Host: host, Source: "/", Files: map[string]string{}, Clear: values(ts, args, "clear."), Sealed: values(ts, args, "sealed.")}
	for _, arg := range args {
		key, value, _ := strings.Cut(arg, "=")
		path, content, isFile := strings.Cut(arg, ":")
		var err error
		switch {
		case strings.HasPrefix(key, "clear.") || strings.HasPrefix(key, "sealed."):
		case key == "set":
			s.Set, s.Source = value, value
		case key == "lane":
			s.Lane, err = strconv.Atoi(value)
		case key == "missed":
			s.Missed, err = strconv.Atoi(value)
		case isFile:
			s.Files[path] = content
		default:
			ts.Fatalf("forge: %s says nothing", arg)
		}
		ts.Check(err)
	}
	return s
}

// values are those of KEY=VALUE with a prefix.
func values(ts *testscript.TestScript, args []string, prefix string) map[string]any {
	var pairs []string
	for _, arg := range args {
		if pair, ok := strings.CutPrefix(arg, prefix); ok {
			pairs = append(pairs, pair)
		}
	}
	parsed, err := forgetest.Parse(pairs)
	ts.Check(err)
	return parsed
}
