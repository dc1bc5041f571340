package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"

	"github.com/packstone/packstone/archive"
	storage "github.com/packstone/packstone/archive/store/s3"
	"github.com/packstone/packstone/archive/store/s3/bucket"
	"github.com/packstone/packstone/archive/store/s3test"
	"github.com/packstone/packstone/catalog/forgetest"
	"github.com/packstone/packstone/crypto"
)

// attack is what somebody does who has stolen the key file and the credentials of one host, web1,
// against another, victim.
type attack struct {
	t       *testing.T
	server  *s3test.Server
	raw     *s3.Client // with the stolen credentials
	forger  *forgetest.Forger
	owner   []string // environments
	victim  []string
	project string
	pack    string          // one of the victim's
	kept    map[string]bool // of the victim's snapshots, whether a rule keeps them
}

func (a *attack) run(want int, env []string, args ...string) string {
	a.t.Helper()
	code, stdout, stderr := runWith(a.t, env, args...)
	if code != want {
		a.t.Errorf("%v ends with %d, want %d\n%s%s", args, code, want, stdout, stderr)
	}
	return stdout + stderr
}

// newAttack makes a repository in a bucket that keeps versions, with three snapshots of the victim,
// and the printed policy for web1.
func newAttack(t *testing.T) *attack {
	server := s3test.Start(t, s3test.Options{})
	root := server.Client()
	if _, err := root.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String("bucket")}); err != nil {
		t.Fatal(err)
	}
	_, err := root.PutBucketVersioning(t.Context(), &s3.PutBucketVersioningInput{
		Bucket: aws.String("bucket"), VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled},
	})
	if err != nil {
		t.Fatal(err)
	}
	server.AddUser(t, "web1", "web1-secret")
	a := &attack{t: t, server: server, project: t.TempDir(), kept: map[string]bool{}}
	keys := t.TempDir()
	at := func(env ...string) []string {
		return append(env, "PACKSTONE_REPOSITORY=minio+"+server.Endpoint+"/bucket/p", "PACKSTONE_S3_ACCESS_KEY="+server.AccessKey, "PACKSTONE_S3_SECRET_KEY="+server.SecretKey)
	}
	a.owner = at("HOME=" + t.TempDir())
	a.run(0, a.owner, "init")
	for _, host := range []string{"victim", "web1"} {
		a.run(0, a.owner, "key", "writer", "add", host, "--hosts", host, "-o", filepath.Join(keys, host))
	}
	a.victim = at("HOME="+t.TempDir(), "PACKSTONE_WRITER_FILE="+filepath.Join(keys, "victim"), "PACKSTONE_HOST=victim")
	for i := range 3 {
		a.change(fmt.Sprint("version ", i))
		a.run(0, a.victim, "backup", a.project, "--tag", "release")
	}
	a.kept, a.pack = a.decided(), a.object("packs/")
	_, policy, _ := runWith(t, a.owner, "doctor", "--print-policy", "writer", "web1", "--principal", "web1")
	if _, err := root.PutBucketPolicy(t.Context(), &s3.PutBucketPolicyInput{Bucket: aws.String("bucket"), Policy: &policy}); err != nil {
		t.Fatal(err)
	}
	a.steal(filepath.Join(keys, "web1"))
	return a
}

func (a *attack) steal(keyFile string) {
	a.t.Helper()
	text, err := os.ReadFile(keyFile)
	if err != nil {
		a.t.Fatal(err)
	}
	key, err := crypto.ParseWriterFile(bytes.NewReader(text))
	if err != nil {
		a.t.Fatal(err)
	}
	reached, err := storage.Open(a.t.Context(), bucket.Address{Endpoint: a.server.Endpoint, Bucket: "bucket", Prefix: "p/"},
		bucket.Options{AccessKey: "web1", SecretKey: "web1-secret", Region: a.server.Region})
	if err != nil {
		a.t.Fatal(err)
	}
	a.forger = forgetest.New(reached, key)
	a.raw = s3.New(s3.Options{
		BaseEndpoint: &a.server.Endpoint, Region: a.server.Region, UsePathStyle: true, Credentials: credentials.NewStaticCredentialsProvider("web1", "web1-secret", ""),
	})
}

func (a *attack) change(text string) {
	a.t.Helper()
	if err := os.WriteFile(filepath.Join(a.project, "file"), []byte(strings.Repeat(text, 2000)), 0o600); err != nil {
		a.t.Fatal(err)
	}
}

// decided is what a rule would do with the victim's snapshots: whether it keeps each.
func (a *attack) decided() map[string]bool {
	a.t.Helper()
	code, out, stderr := runWith(a.t, a.owner, "forget", "--keep-last", "1", "--keep-daily", "3", "--keep-tag", "release", "-n", "--json")
	kept := map[string]bool{}
	for line := range strings.Lines(out) {
		var m struct {
			Snapshots []struct {
				ID        string
				Hostname  string
				Forgotten bool
			}
		}
		if json.Unmarshal([]byte(line), &m) != nil {
			continue
		}
		for _, s := range m.Snapshots {
			if len(a.kept) == 0 || a.knows(s.ID) {
				kept[s.ID] = !s.Forgotten
			}
		}
	}
	if code != 0 {
		a.t.Errorf("forget -n ends with %d\n%s", code, stderr)
	}
	return kept
}

func (a *attack) knows(id string) bool {
	_, known := a.kept[id]
	return known
}

// object is the first object whose name begins so.
func (a *attack) object(prefix string) string {
	a.t.Helper()
	list, err := a.server.Client().ListObjectsV2(a.t.Context(), &s3.ListObjectsV2Input{Bucket: aws.String("bucket"), Prefix: aws.String("p/" + prefix)})
	if err != nil || len(list.Contents) == 0 {
		a.t.Fatalf("no object %s: %v", prefix, err)
	}
	return *list.Contents[0].Key
}

func (a *attack) put(key string) error {
	_, err := a.raw.PutObject(a.t.Context(), &s3.PutObjectInput{Bucket: aws.String("bucket"), Key: &key, Body: strings.NewReader("garbage")})
	return err
}

func (a *attack) delete(key string) error {
	_, err := a.raw.DeleteObject(a.t.Context(), &s3.DeleteObjectInput{Bucket: aws.String("bucket"), Key: &key})
	return err
}

func (a *attack) get(key string) error {
	_, err := a.raw.GetObject(a.t.Context(), &s3.GetObjectInput{Bucket: aws.String("bucket"), Key: &key})
	return err
}

// denied fails the test unless the server has refused.
func (a *attack) denied(what string, err error) {
	a.t.Helper()
	var refusal smithy.APIError
	if !errors.As(err, &refusal) || refusal.ErrorCode() != "AccessDenied" {
		a.t.Errorf("%s: %v, want it denied", what, err)
	}
}

// whole fails the test unless the victim backs up and restores, and rules decide as they did.
func (a *attack) whole(after string) {
	a.t.Helper()
	if now := a.decided(); !maps.Equal(now, a.kept) {
		a.t.Errorf("after %s rules keep %v, before %v", after, now, a.kept)
	}
	a.change("after " + after)
	a.run(0, a.victim, "backup", a.project)
	to := a.t.TempDir()
	a.run(0, a.owner, "restore", "latest", "--host", "victim", "--target", to)
	got, err := os.ReadFile(filepath.Join(to, a.project, "file"))
	if err != nil || !strings.HasPrefix(string(got), "after "+after) {
		a.t.Errorf("after %s the victim restores %.40q, %v", after, got, err)
	}
}

// The server that enforces the printed policy refuses what is not of web1's own.
func (a *attack) onObjects() {
	for _, prefix := range []string{"log/victim.", "sessions/victim.", "config/", "domains/", "packstone.json"} {
		a.denied("overwrite "+prefix, a.put(a.object(prefix)))
	}
	for _, key := range []string{"gc/0000000001/condemn", "gc/0000000001/sweep", "roll/0000000001", "log/victim.0/0000000099", "sessions/victim.0.0000000099", "config/0000000099"} {
		a.denied("put "+key, a.put("p/"+key))
	}
	for _, prefix := range []string{"packs/", "trees/", "index/", "refs/", "log/victim.", "log/", "config/"} {
		a.denied("delete "+prefix, a.delete(a.object(prefix)))
	}
	for _, prefix := range []string{"packs/", "trees/", "domains/"} {
		a.denied("read "+prefix, a.get(a.object(prefix)))
	}
}

// What web1's key signs counts for web1 alone.
func (a *attack) onRecords() {
	t, f := a.t, a.forger
	victims := make([]string, 0, len(a.kept))
	for id := range a.kept {
		victims = append(victims, id)
	}
	files := map[string]string{"file": "a lie"}
	must := func(_ string, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(f.Commit(t.Context(), forgetest.Snapshot{Host: "victim", Source: "/", Files: files}))
	if out := a.run(0, a.owner, "snapshots"); !strings.Contains(out, "outside: web1 may not speak for this host") {
		t.Errorf("the snapshot of another's host is not marked: %s", out)
	}
	if _, err := f.Record(t.Context(), "victim.0", "commit", nil); err == nil {
		t.Error("a record lies in the lane of the victim")
	}
	for _, kind := range []string{"forget", "hold", "undelete"} {
		must(f.Record(t.Context(), f.Lane(0), kind, map[string]any{"subjects": victims}))
	}
	if out := a.run(0, a.owner, "snapshots"); !strings.Contains(out, "web1.0/") || !strings.Contains(out, "may not do: ignored") {
		t.Errorf("what web1 forgets is not named: %s", out)
	}
	sealed, err := f.Seal(map[string]any{"remove": []string{"release"}})
	if err != nil {
		t.Fatal(err)
	}
	must(f.Record(t.Context(), f.Lane(0), "tag", map[string]any{"subjects": victims, "sealed": sealed}))
	must(f.Record(t.Context(), f.Lane(0), "checkpoint", map[string]any{"supersedes": victims}))
	a.whole("records that are not its to write")

	for day := range 30 { // into each slot of the past, in the victim's group and its own
		at := time.Now().AddDate(0, 0, -day)
		for _, s := range []forgetest.Snapshot{
			{Host: "web1", Source: "/", Files: files, Clear: map[string]any{"time": at}, Sealed: map[string]any{"time": at, "started": at}},
			{Host: "victim", Source: "/", Files: files, Clear: map[string]any{"time": at}, Sealed: map[string]any{"time": at, "paths": []string{a.project}}},
		} {
			must(f.Commit(t.Context(), s))
		}
	}
	a.whole("a flood of snapshots of the past")
}

// An index that says that the victim's next content is there already.
func (a *attack) onIndex() {
	t, f := a.t, a.forger
	lie := strings.Repeat("after a poisoned index", 2000)
	pack, err := f.Pack(t.Context(), "something else")
	if err != nil {
		t.Fatal(err)
	}
	pack.Directory.IDs[0] = f.ID(lie)
	run, err := f.PutRun(t.Context(), []archive.RunPack{pack})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Record(t.Context(), f.Lane(0), "checkpoint", map[string]any{"index": []string{run}}); err != nil {
		t.Fatal(err)
	}
	a.whole("a poisoned index")
}

// This server knows no condition under which only what is new may be put, as AWS does: packs and
// web1's own records can be written over. It is named, and the version before is there.
func (a *attack) onVersions() {
	if err := a.put(a.pack); err != nil {
		a.denied("overwrite a pack", err)
		return
	}
	if out := a.run(5, a.owner, "check", "--read-data"); !strings.Contains(out, strings.TrimPrefix(a.pack, "p/")) {
		a.t.Errorf("check does not name %s: %s", a.pack, out)
	}
	a.bringBack(a.pack)
	a.whole("a pack that was written over")
	own := a.object("log/web1.")
	if err := a.put(own); err != nil {
		a.t.Fatal(err)
	}
	if out := a.run(5, a.owner, "catalog", "verify"); !strings.Contains(out, strings.TrimPrefix(own, "p/")) {
		a.t.Errorf("catalog verify does not name %s: %s", own, out)
	}
	a.bringBack(own)
	a.whole("a record that was written over")
}

// bringBack puts the version of an object that was there before the newest.
func (a *attack) bringBack(key string) {
	a.t.Helper()
	root := a.server.Client()
	list, err := root.ListObjectVersions(a.t.Context(), &s3.ListObjectVersionsInput{Bucket: aws.String("bucket"), Prefix: &key})
	if err != nil || len(list.Versions) != 2 {
		a.t.Fatalf("versions of %s: %v, %v", key, list, err)
	}
	before := list.Versions[1]
	got, err := root.GetObject(a.t.Context(), &s3.GetObjectInput{Bucket: aws.String("bucket"), Key: &key, VersionId: before.VersionId})
	if err != nil {
		a.t.Fatal(err)
	}
	body, err := io.ReadAll(got.Body)
	if err == nil {
		_, err = root.PutObject(a.t.Context(), &s3.PutObjectInput{Bucket: aws.String("bucket"), Key: &key, Body: bytes.NewReader(body)})
	}
	if err != nil {
		a.t.Fatal(err)
	}
}

// Whoever has a host's key file and credentials under the printed policy takes nothing from
// another: each attack is refused by the server or named, the victim restores, and rules keep what
// they kept.
func TestAThiefOfAHostsKeyTakesNothingFromAnother(t *testing.T) {
	a := newAttack(t)
	if len(a.kept) != 3 {
		t.Fatalf("rules decide about %v", a.kept)
	}
	a.onObjects()
	a.whole("attacks on objects")
	a.onRecords()
	a.onIndex()
	a.onVersions()
	a.run(0, a.owner, "prune", "--dead-after", "0s")
	a.run(0, a.owner, "key", "writer", "revoke", "web1")
	a.whole("all")
}
