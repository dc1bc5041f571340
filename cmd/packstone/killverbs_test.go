package main

import (
	"bytes"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// killed is a verb that writes, and what must hold after it was killed anywhere and typed again.
type killed struct {
	name   string
	before func(p *place) // makes what it finds
	verb   []string
	again  []string       // nil: the same
	codes  []int          // with which it may end the second time, beside 0: it is done already
	loses  func(p *place) // what need not be there any more from the moment it has begun
	kept   func(p *place) // fails the test unless the verb has kept its promise
	broken bool           // there is damage before
}

var killedVerbs = []killed{
	{name: "init", before: func(p *place) { p.empty() }, verb: []string{"init", "--classic"}, codes: []int{4}, broken: true, kept: initAsTold},
	{name: "backup, the first", before: func(p *place) { p.empty(); p.must("init", "--classic") }, verb: []string{"backup", "set"}},
	{name: "backup, nothing changed", verb: []string{"backup", "set"}},
	{name: "backup, something changed", before: changes, verb: []string{"backup", "set"}},
	{name: "forget", verb: []string{"forget", "latest~1"}, again: []string{"forget", "FIRST"}, codes: []int{1}, loses: losesFirst},
	{name: "forget and prune", verb: []string{"forget", "FIRST", "--prune", "--grace", "0", "--yes"}, codes: []int{1}, loses: losesFirst},
	{name: "forget by rules", verb: []string{"forget", "--keep-last", "1"}, loses: losesFirst},
	{name: "undelete", before: forgetsFirst, verb: []string{"undelete", "FIRST"}, codes: []int{1, 2, 4}, kept: firstIsBack},
	{name: "hold", verb: []string{"hold", "FIRST", "--reason", "x"}, kept: func(p *place) { p.mustEnd(7, "forget", "FIRST") }},
	{name: "unhold", before: func(p *place) { p.must("hold", p.first) }, verb: []string{"unhold", "FIRST"}, codes: []int{1, 4}, kept: func(p *place) { p.must("forget", "-n", p.first) }},
	{name: "tag", verb: []string{"tag", "--add", "x", "latest"}, kept: func(p *place) { p.must("ls", "latest", "--tag", "x") }},
	{name: "prune", before: forgetsFirst, verb: []string{"prune", "--grace", "0", "--yes", "--dead-after", "0s"}},
	{name: "prune --repack", before: forgetsFirst, verb: []string{"prune", "--repack", "--max-unused", "0%", "--grace", "0", "--yes", "--dead-after", "0s"}},
	{name: "roll-up", before: forgetsFirst, verb: []string{"prune", "--roll-up-after", "1", "--dead-after", "0s"}},
	{name: "rewrite", verb: []string{"rewrite", "--exclude", "secret"}, loses: losesSecrets, kept: noSecrets},
	{name: "copy", before: withMirror, verb: []string{"copy", "--from", "@/repository"}, kept: twoSnapshots},
	{name: "copy to other keys", before: withOther, verb: []string{"copy", "--from", "@/repository"}, kept: twoSnapshots},
	{name: "repair from a mirror", before: damaged, verb: []string{"repair", "--from", "@/mirror"}, broken: true},
	{name: "repair from a copy", before: damagedWithCopy, verb: []string{"repair", "--from", "@/other"}, broken: true},
	{name: "repair from the source", before: damagedHere, verb: []string{"repair", "--from", "source", "set"}, broken: true},
	{name: "repair from the packs", before: withoutIndex, verb: []string{"repair", "--from", "packs"}, broken: true},
	{name: "key add", before: secondKey, verb: []string{"key", "add", "SECOND"}, codes: []int{4}, kept: secondReads},
	{name: "key remove", before: func(p *place) { secondKey(p); p.must("key", "add", p.second()) }, verb: []string{"key", "remove", "SECOND"}, codes: []int{2, 4}},
	{name: "key rotate --domain", verb: []string{"key", "rotate", "--domain", "--yes"}},
	{name: "key rotate --reencrypt", before: func(p *place) { p.must("key", "rotate", "--domain", "--yes") }, verb: []string{"key", "rotate", "--reencrypt", "--yes"}, loses: losesAll},
	{name: "key writer bind", verb: []string{"key", "writer", "bind", "host", "--hosts", "host,other"}},
	{name: "key writer add", verb: []string{"key", "writer", "add", "other", "-o", "@/keys/other"}, codes: []int{4}},
	{name: "key writer revoke", before: func(p *place) { p.must("key", "writer", "add", "other", "-o", "@/keys/other") }, verb: []string{"key", "writer", "revoke", "other"}, codes: []int{4}},
	{name: "key collector add", verb: []string{"key", "collector", "add", "c", "-o", "@/keys/c"}, codes: []int{4}},
	{name: "key collector revoke", before: func(p *place) { p.must("key", "collector", "add", "c", "-o", "@/keys/c") }, verb: []string{"key", "collector", "revoke", "c"}, codes: []int{4}},
	{name: "key keeper add", verb: []string{"key", "keeper", "add", "k", "-o", "@/keys/k"}, codes: []int{4}},
	{name: "key policy", verb: []string{"key", "policy", "--grace", "3d"}},
	{name: "check --attest", verb: []string{"check", "--read-data", "--attest"}},
	{name: "catalog date", before: withoutDates, verb: []string{"catalog", "date", "--from-claims"}, kept: dated},
	{name: "catalog rebuild", verb: []string{"catalog", "rebuild", "--files"}},
	{name: "cache --cleanup", verb: []string{"cache", "--cleanup", "--max-age", "0s"}},
	{name: "drill run", before: withScratch, verb: []string{"drill", "run", "set", "--scratch", "@/scratch"}},
	{name: "restore", verb: []string{"restore", "latest", "--target", "@/out"}, codes: []int{4}, again: []string{"restore", "latest", "--target", "@/out", "--overwrite", "always"}, kept: outIsWhole},
	{name: "restore in place", before: spoiled, verb: []string{"restore", "--set", "set", "--at", "2999-01-01", "--in-place", "--delete", "--yes"}, kept: sourceIsLatest},
	{name: "restore in place, a platform", before: spoiledPlatform, verb: []string{"restore", "--set", "all", "--at", "2999-01-01", "--in-place", "--delete", "--yes"}, kept: platformIsLatest},
	{name: "restore, undone", before: restored, verb: []string{"restore", "--undo", "REPORT", "--yes"}, codes: []int{4}, kept: sourceIsSpoiled},
	{name: "restore of a platform, undone", before: restoredPlatform, verb: []string{"restore", "--undo", "REPORT", "--yes"}, codes: []int{4}, kept: platformIsSpoiled},
	{name: "restore of a platform to a directory", before: spoiledPlatform, verb: []string{"restore", "latest", "--set", "all", "--target", "@/out"}, codes: []int{4}, again: []string{"restore", "latest", "--set", "all", "--target", "@/out", "--overwrite", "always"}},
}

// localVerbs write nothing to a repository.
var localVerbs = []killed{
	{name: "db export", before: withTable, verb: []string{"db", "export", "--from", "sqlite:@/table.db", "@/out.sqlite"}, again: []string{"db", "export", "--from", "sqlite:@/table.db", "@/out.sqlite"}, codes: []int{4}},
	{name: "db import", before: exported, verb: []string{"db", "import", "@/out.sqlite", "--to", "sqlite:@/new.db"}, codes: []int{4}},
	{name: "key generate", verb: []string{"key", "generate", "--classic", "-o", "@/keys/new"}, codes: []int{4}},
	{name: "key split", verb: []string{"key", "split", "2-of-3", "-o", "@/shares"}, codes: []int{4}},
	{name: "key join", before: func(p *place) { p.must("key", "split", "2-of-3", "-o", "@/shares") }, verb: []string{"key", "join", "@/shares/share-1-of-3.txt", "@/shares/share-2-of-3.txt", "-o", "@/keys/joined"}, codes: []int{4}},
	{name: "key sheet", verb: []string{"key", "sheet", "-o", "@/sheet.txt"}, codes: []int{4}},
	{name: "drill report", before: drilled, verb: []string{"drill", "report", "-o", "@/drill.html"}, codes: []int{4}},
}

func withTable(p *place) {
	p.t.Helper()
	p.sql("create table t (id integer primary key, name text); insert into t values (1, 'one'), (2, 'two')")
}

// sql runs statements in the database of the place, and returns what they print.
func (p *place) sql(statements string) string {
	p.t.Helper()
	return p.sqlIn("table.db", statements)
}

func (p *place) sqlIn(file, statements string) string {
	p.t.Helper()
	out, err := exec.Command("sqlite3", p.path(file), statements).CombinedOutput()
	if err != nil {
		p.t.Fatalf("%s: %v\n%s", statements, err, out)
	}
	return string(out)
}

func exported(p *place) {
	withTable(p)
	p.must("db", "export", "--from", "sqlite:@/table.db", "@/out.sqlite")
}

// words are those of a command with what is only known in the place.
func (p *place) words(words []string) []string {
	all := slices.Clone(words)
	for i, word := range all {
		switch word {
		case "FIRST":
			all[i] = p.first
		case "SECOND":
			all[i] = p.second()
		case "REPORT":
			all[i] = p.report()
		}
	}
	return all
}

// empty takes the repository, the keys and the cache away.
func (p *place) empty() {
	for _, name := range []string{"repository", "home/cache", "home/config", "home/data", "home/state"} {
		if err := os.RemoveAll(p.path(name)); err != nil {
			p.t.Fatal(err)
		}
	}
	p.first = ""
	clear(p.holds)
}

func (p *place) mustEnd(want int, words ...string) {
	p.t.Helper()
	if code, stdout, stderr := p.run(p.words(words)...); code != want {
		p.t.Errorf("%v ends with %d, want %d\n%s%s", words, code, want, stdout, stderr)
	}
}

// initAsTold does what init says if it was killed when it had stored something.
func initAsTold(p *place) {
	if code, _, _ := p.run("snapshots"); code == 0 {
		return
	}
	for _, left := range []string{"repository/config", "repository/domains"} {
		if err := os.RemoveAll(p.path(left)); err != nil {
			p.t.Fatal(err)
		}
	}
	p.must("init", "--classic")
}

func changes(p *place) {
	p.write("data/file0", noise(12_000, 20))
	p.write("data/file9", noise(7_000, 21))
}

func losesFirst(p *place) { p.lose(p.first) }

func forgetsFirst(p *place) {
	p.must("forget", p.first)
	p.lose(p.first)
}

func firstIsBack(p *place) { p.comesBack(p.first); p.must("forget", "-n", p.first) }

func losesSecrets(p *place) {
	for id, holds := range maps.Clone(p.holds) {
		p.lose(id)
		without := maps.Clone(holds)
		delete(without, "secret")
		p.may = append(p.may, without)
	}
}

func noSecrets(p *place) {
	if out := p.must("find", "secret"); strings.Contains(out, "secret") {
		p.t.Errorf("after the rewrite there is: %s", out)
	}
}

func withMirror(p *place) {
	main := p.repo
	p.repo = p.path("mirror")
	p.must("init", "--classic", "--same-domain-as", main)
	p.may = append(p.may, slices.Collect(maps.Values(p.holds))...)
	clear(p.holds)
}

// withOther is withMirror, whose repository has keys of its own for contents.
func withOther(p *place) {
	p.repo = p.path("other")
	p.must("init", "--classic")
	p.may = append(p.may, slices.Collect(maps.Values(p.holds))...)
	clear(p.holds)
}

func losesAll(p *place) {
	for id := range maps.Clone(p.holds) {
		p.lose(id)
	}
}

// withoutDates is a repository whose storage has lost the dates of its records.
func withoutDates(p *place) { p.dateRecords("2099-01-01") }

// dated fails the test if a snapshot has no date. A collection would not believe a storage that has
// records of the future, so they get another date.
func dated(p *place) {
	if out := p.must("snapshots"); strings.Contains(out, "undated") {
		p.t.Errorf("a snapshot has no date:\n%s", out)
	}
	p.dateRecords("now")
}

func (p *place) dateRecords(when string) {
	p.t.Helper()
	out, err := exec.Command("find", p.path("repository/log"), "-type", "f", "-exec", "touch", "-d", when, "{}", "+").CombinedOutput()
	if err != nil {
		p.t.Fatalf("date the records: %v\n%s", err, out)
	}
}

func withScratch(p *place) {
	if err := os.Mkdir(p.path("scratch"), 0o700); err != nil {
		p.t.Fatal(err)
	}
}

func drilled(p *place) {
	withScratch(p)
	p.must("drill", "run", "set", "--scratch", "@/scratch")
}

// withoutIndex is a repository that has lost what tells where its chunks are.
func withoutIndex(p *place) {
	if err := os.RemoveAll(p.path("repository/index")); err != nil {
		p.t.Fatal(err)
	}
}

// spoiledPlatform has files and a database, and both have changed since the last snapshot.
func spoiledPlatform(p *place) {
	withTable(p)
	p.must("backup", "all")
	p.may = append(p.may, p.source())
	p.write("data/file0", []byte("wrong"))
	p.may = append(p.may, p.source()) // of the safety copy
	p.sql("delete from t where id = 2")
}

func restoredPlatform(p *place) {
	spoiledPlatform(p)
	p.must("restore", "--set", "all", "--at", "2999-01-01", "--in-place", "--delete", "--yes")
}

// platformIsSpoiled fails the test unless what was there before the restore is back.
func platformIsSpoiled(p *place) {
	if got := p.sql("select name from t order by id"); got != "one\n" || string(p.read(p.path("data/file0"))) != "wrong" {
		p.t.Errorf("the table has the names %q, and file0 %q", got, p.read(p.path("data/file0")))
	}
}

// platformIsLatest fails the test unless files and rows are those of the snapshot.
func platformIsLatest(p *place) {
	sourceIsLatest(p)
	p.isTable("table.db")
}

// isTable fails the test unless a file of SQLite has the rows of the snapshot.
func (p *place) isTable(file string) {
	p.t.Helper()
	if got := p.sqlIn(file, "select name from t order by id"); got != "one\ntwo\n" {
		p.t.Errorf("the table in %s has the names %q", file, got)
	}
}

func twoSnapshots(p *place) {
	if n := strings.Count(p.must("snapshots", "--json"), `"short_id"`); n < 2 {
		p.t.Errorf("%d snapshots were copied, want 2", n)
	}
}

// damaged is a repository with a mirror, and a pack that has been spoiled since.
func damaged(p *place) {
	mirror := *p
	mirror.dir = p.repo
	mirror.copyTo(p.path("mirror"))
	p.spoilPack()
}

// damagedWithCopy is damaged, and has a copy with keys of its own instead of a mirror.
func damagedWithCopy(p *place) {
	main := p.repo
	p.repo = p.path("other")
	p.must("init", "--classic")
	p.must("copy", "--from", main)
	p.repo = main
	p.spoilPack()
}

func (p *place) spoilPack() {
	p.t.Helper()
	all, err := filepath.Glob(p.path("repository/packs/*/*"))
	if err != nil || len(all) != 2 {
		p.t.Fatalf("packs: %q, %v", all, err)
	}
	body, other := p.read(all[0]), p.read(all[1])
	name := all[0]
	if len(body) < len(other) { // the larger one has what the first backup has stored
		body, name = other, all[1]
	}
	body[len(body)/2] ^= 1
	if err := os.WriteFile(name, body, 0o600); err != nil {
		p.t.Fatal(err)
	}
}

func (p *place) read(file string) []byte {
	p.t.Helper()
	body, err := os.ReadFile(file)
	if err != nil {
		p.t.Fatal(err)
	}
	return body
}

// damagedHere is damaged, and the source has all that the pack has.
func damagedHere(p *place) {
	damaged(p)
	p.write("data/file1", noise(10_000, 1))
}

func secondKey(p *place) {
	p.write("keys/second.pub", []byte(p.must("key", "generate", "--classic", "-o", "@/keys/second")))
}

func (p *place) second() string {
	p.t.Helper()
	return string(bytes.TrimSpace(p.read(p.path("keys/second.pub"))))
}

func secondReads(p *place) { p.must("-i", "@/keys/second", "check", "--read-data") }

func outIsWhole(p *place) {
	if got := p.tree(p.path("out/files")); !maps.Equal(got, p.source()) {
		p.t.Errorf("the target differs: %q", differing(got, p.source()))
	}
}

// spoiled is a source in which something is wrong, something missing and something more.
func spoiled(p *place) {
	p.may = append(p.may, p.source())
	p.write("data/file0", []byte("wrong"))
	p.write("data/more", []byte("more"))
	if err := os.Remove(p.path("data/file2")); err != nil {
		p.t.Fatal(err)
	}
	p.may = append(p.may, p.source()) // of the safety copy
}

func sourceIsLatest(p *place) {
	if got := p.source(); !slices.ContainsFunc(p.may, func(m map[string][32]byte) bool { return maps.Equal(m, got) }) {
		p.t.Errorf("the source is not as it was in the snapshot")
	}
}

func restored(p *place) {
	spoiled(p)
	p.must("restore", "--set", "set", "--at", "2999-01-01", "--in-place", "--delete", "--yes")
}

func (p *place) report() string {
	all, err := filepath.Glob(p.path("home/state/packstone/restores/*.json"))
	if err != nil || len(all) == 0 {
		p.t.Fatalf("reports: %q, %v", all, err)
	}
	return all[0]
}

func sourceIsSpoiled(p *place) {
	if _, found := p.source()["more"]; !found {
		p.t.Errorf("what was there before is not back")
	}
}
