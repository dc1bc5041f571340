package main

import (
	"encoding/json"
	"errors"
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

	"github.com/packstone/packstone/archive/store/s3test"
)

// locked is a repository in a bucket with Object Lock and without a default retention, so that a
// test can lock for seconds, under the printed policies; a thief may do all but bypass locks.
type locked struct {
	*attack
	guard []string // environment of the keeper
	host  []string // and of the host web1
	keys  string
	// bucket is its name.
	bucket string
}

func lockedBucket(t *testing.T) *locked {
	server := s3test.Start(t, s3test.Options{})
	bucket := server.LockingBucket(t)
	l := &locked{attack: &attack{t: t, server: server, project: t.TempDir()}, keys: t.TempDir()}
	at := func(user, secret string, env ...string) []string {
		return append(env, "PACKSTONE_REPOSITORY=minio+"+server.Endpoint+"/"+bucket+"/p", "HOME="+t.TempDir(), "PACKSTONE_S3_ACCESS_KEY="+user, "PACKSTONE_S3_SECRET_KEY="+secret)
	}
	l.owner = at(server.AccessKey, server.SecretKey)
	l.run(0, l.owner, "init")
	l.run(0, l.owner, "key", "policy", "--horizon", "20d")
	l.run(0, l.owner, "key", "writer", "add", "web1", "-o", filepath.Join(l.keys, "web1"))
	l.run(0, l.owner, "key", "keeper", "add", "guard", "-o", filepath.Join(l.keys, "guard"))
	for _, user := range []string{"web1", "guard", "thief"} {
		server.AddUser(t, user, user+"-secret")
	}
	l.host = at("web1", "web1-secret", "PACKSTONE_WRITER_FILE="+filepath.Join(l.keys, "web1"), "PACKSTONE_HOST=web1")
	l.guard = at("guard", "guard-secret", "PACKSTONE_COLLECTOR_FILE="+filepath.Join(l.keys, "guard"))
	l.permit(bucket)
	l.raw = s3.New(s3.Options{
		BaseEndpoint: &server.Endpoint, Region: server.Region, UsePathStyle: true, Credentials: credentials.NewStaticCredentialsProvider("thief", "thief-secret", ""),
	})
	return l
}

// permit gives the bucket one policy of the printed ones and the thief's rights.
func (l *locked) permit(bucket string) {
	l.t.Helper()
	thief := `{"Statement": [
		{"Effect": "Allow", "Principal": {"AWS": "thief"}, "Action": "s3:*", "Resource": ["arn:aws:s3:::` + bucket + `", "arn:aws:s3:::` + bucket + `/*"]},
		{"Effect": "Deny", "Principal": {"AWS": "thief"}, "Action": "s3:BypassGovernanceRetention", "Resource": ["arn:aws:s3:::` + bucket + `/*"]}]}`
	all := map[string]any{"Version": "2012-10-17"}
	var statements []any
	texts := []string{thief}
	for _, role := range [][]string{{"writer", "web1", "--principal", "web1"}, {"keeper", "--principal", "guard"}} {
		code, text, stderr := runWith(l.t, l.owner, append([]string{"doctor", "--print-policy"}, role...)...)
		if code != 0 {
			l.t.Fatal(stderr)
		}
		texts = append(texts, text)
	}
	for _, text := range texts {
		var one struct{ Statement []any }
		if err := json.Unmarshal([]byte(text), &one); err != nil {
			l.t.Fatal(err)
		}
		statements = append(statements, one.Statement...)
	}
	all["Statement"] = statements
	text, err := json.Marshal(all)
	if err == nil {
		_, err = l.server.Client().PutBucketPolicy(l.t.Context(), &s3.PutBucketPolicyInput{Bucket: &bucket, Policy: aws.String(string(text))})
	}
	if err != nil {
		l.t.Fatalf("%v\n%s", err, text)
	}
	l.bucket = bucket
}

// versions lists all versions below p/, as root.
func (l *locked) versions() (all []types.ObjectVersion, marks []types.DeleteMarkerEntry) {
	l.t.Helper()
	out, err := l.server.Client().ListObjectVersions(l.t.Context(), &s3.ListObjectVersionsInput{Bucket: &l.bucket, Prefix: aws.String("p/")})
	if err != nil || aws.ToBool(out.IsTruncated) {
		l.t.Fatalf("list versions: %v", err)
	}
	return out.Versions, out.DeleteMarkers
}

// lockFor locks all that is there for some seconds, as a default retention that is about to end.
func (l *locked) lockFor(d time.Duration) {
	l.t.Helper()
	all, _ := l.versions()
	for _, v := range all {
		_, err := l.server.Client().PutObjectRetention(l.t.Context(), &s3.PutObjectRetentionInput{Bucket: &l.bucket, Key: v.Key, VersionId: v.VersionId,
			Retention: &types.ObjectLockRetention{Mode: types.ObjectLockRetentionModeGovernance, RetainUntilDate: aws.Time(time.Now().Add(d))}})
		if err != nil {
			l.t.Fatal(err)
		}
	}
}

// deleteVersion is what a thief tries, with a request to bypass the lock.
func (l *locked) deleteVersion(key, version *string) error {
	_, err := l.raw.DeleteObject(l.t.Context(), &s3.DeleteObjectInput{Bucket: &l.bucket, Key: key, VersionId: version, BypassGovernanceRetention: aws.Bool(true)})
	return err
}

func isDenied(err error) bool {
	var refusal smithy.APIError
	return errors.As(err, &refusal) && refusal.ErrorCode() == "AccessDenied"
}

// stray is the key of an object that nobody needs.
const stray = "p/probe/stray"

// destroy does to all versions what a thief can, and returns which of them he could not delete.
func (l *locked) destroy(all []types.ObjectVersion) (survived map[string]bool) {
	l.t.Helper()
	survived = map[string]bool{}
	for _, v := range all {
		if _, err := l.raw.PutObject(l.t.Context(), &s3.PutObjectInput{Bucket: &l.bucket, Key: v.Key, Body: strings.NewReader("garbage")}); err != nil {
			l.t.Errorf("overwrite %s: %v; a thief can, and the test means to show that it does no harm", *v.Key, err)
		}
		if _, err := l.raw.DeleteObject(l.t.Context(), &s3.DeleteObjectInput{Bucket: &l.bucket, Key: v.Key}); err != nil {
			l.t.Errorf("delete %s: %v", *v.Key, err)
		}
		if err := l.deleteVersion(v.Key, v.VersionId); !isDenied(err) {
			if err != nil && *v.Key != stray { // which is gone already
				l.t.Errorf("delete a version of %s: %v", *v.Key, err)
			}
			continue
		}
		survived[*v.Key] = true
		_, err := l.raw.PutObjectRetention(l.t.Context(), &s3.PutObjectRetentionInput{Bucket: &l.bucket, Key: v.Key, VersionId: v.VersionId, BypassGovernanceRetention: aws.Bool(true),
			Retention: &types.ObjectLockRetention{Mode: types.ObjectLockRetentionModeGovernance, RetainUntilDate: aws.Time(time.Now().Add(time.Second))}})
		if !isDenied(err) {
			l.t.Errorf("shorten the lock of %s: %v, want it denied", *v.Key, err)
		}
	}
	return survived
}

// undo removes, as root, what came after the versions and marks that were there before.
func (l *locked) undo(before []types.ObjectVersion, marksBefore []types.DeleteMarkerEntry) {
	l.t.Helper()
	known := map[string]bool{}
	for _, v := range before {
		known[*v.VersionId] = true
	}
	for _, m := range marksBefore {
		known[*m.VersionId] = true
	}
	all, marks := l.versions()
	remove := func(key, version *string) {
		if known[*version] {
			return
		}
		if _, err := l.server.Client().DeleteObject(l.t.Context(), &s3.DeleteObjectInput{Bucket: &l.bucket, Key: key, VersionId: version}); err != nil {
			l.t.Fatal(err)
		}
	}
	for _, v := range all {
		remove(v.Key, v.VersionId)
	}
	for _, m := range marks {
		remove(m.Key, m.VersionId)
	}
}

// Whoever has credentials that may do everything but bypass locks can hide what is there, but
// deletes nothing that a keeper has extended, after the locks that objects began with have ended.
func TestWhatAKeeperExtendedOutlastsStolenCredentials(t *testing.T) {
	l := lockedBucket(t)
	for _, content := range []string{"first", "second", "third"} {
		l.change(content)
		l.run(0, l.host, "backup", l.project)
	}
	l.run(0, l.owner, "forget", "--keep-last", "2", "--grace", "0", "--prune", "--yes")
	l.run(0, l.owner, "prune", "--roll-up-after", "1") // so that there are a roll and a history, and what they replace is marked
	l.change("fourth")
	l.run(0, l.host, "backup", l.project)
	if _, err := l.server.Client().PutObject(t.Context(), &s3.PutObjectInput{Bucket: &l.bucket, Key: aws.String(stray), Body: strings.NewReader("x")}); err != nil {
		t.Fatal(err)
	}
	l.lockFor(4 * time.Second)
	if out := l.run(0, l.guard, "keep", "--mode", "governance"); !strings.Contains(out, "locked (governance) until") {
		t.Errorf("the keeper says %s", out)
	}
	l.run(0, l.guard, "keep", "--mode", "governance")
	if out := l.run(0, l.owner, "doctor"); !strings.Contains(out, "locked until") {
		t.Errorf("doctor says %s", out)
	}
	before, marks := l.versions()
	for _, v := range before { // the locks that objects began with have ended when that of the stray has
		for *v.Key == stray && isDenied(l.deleteVersion(v.Key, v.VersionId)) {
			time.Sleep(100 * time.Millisecond)
		}
	}
	survived := l.destroy(before)
	for _, v := range before {
		name := strings.TrimPrefix(*v.Key, "p/")
		kind, _, _ := strings.Cut(name, "/")
		passes := kind == "sessions" || kind == "probe" || kind == "gc" || kind == "refs" // some refs are of what was forgotten; the check below needs the others
		if !passes && aws.ToBool(v.IsLatest) && !survived[*v.Key] {
			t.Errorf("%s is gone", name)
		}
	}
	if code, _, _ := runWith(t, l.guard, "keep", "--mode", "governance"); code == 0 {
		t.Error("after the attack the keeper says that all is well")
	}
	l.undo(before, marks)
	l.run(0, l.owner, "--no-cache", "check", "--read-data")
	to := t.TempDir()
	l.run(0, l.owner, "--no-cache", "restore", "latest", "--host", "web1", "--target", to)
	if got, err := os.ReadFile(filepath.Join(to, l.project, "file")); err != nil || !strings.HasPrefix(string(got), "fourth") {
		t.Errorf("restored %.20q, %v", got, err)
	}
}

// The host's own credentials, under the printed policy, can cover objects, where the server has no
// condition against it, but take nothing away; those of root can.
func TestDoctorProvesWhatCredentialsCanDestroy(t *testing.T) {
	l := lockedBucket(t)
	out := l.run(0, l.host, "doctor", "--prove-append-only")
	for _, row := range []string{"append-only: delete objects", "append-only: delete versions", "append-only: shorten locks", "append-only: write records of other hosts", "append-only: write configurations"} {
		if !hasRow(out, row, "refused") {
			t.Errorf("%s is not refused:\n%s", row, out)
		}
	}
	if !hasRow(out, "append-only: overwrite objects", "the bucket keeps the version before") {
		t.Errorf("overwriting is not covered:\n%s", out)
	}
	out = l.run(6, l.owner, "doctor", "--prove-append-only")
	if !hasRow(out, "append-only: delete versions", "these credentials can") || !hasRow(out, "append-only: write configurations", "these credentials can") {
		t.Errorf("what root can do is not told:\n%s", out)
	}
	l.run(0, l.owner, "check")
	l.run(0, l.owner, "catalog", "verify")
}

func hasRow(table, name, detail string) bool {
	for line := range strings.Lines(table) {
		if strings.HasPrefix(line, name) && strings.Contains(line, detail) {
			return true
		}
	}
	return false
}
