package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/packstone/packstone/archive/store/s3test"
)

// TestAHostBacksUpUnderTheWritersPolicy holds the policy against a server that enforces it: a host
// with nothing but its key file and credentials of that policy backs up twice, and can neither read
// content nor delete.
func TestAHostBacksUpUnderTheWritersPolicy(t *testing.T) {
	server := s3test.Start(t, s3test.Options{})
	if _, err := server.Client().CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String("bucket")}); err != nil {
		t.Fatal(err)
	}
	server.AddUser(t, "host", "host-secret")
	home, key, project := t.TempDir(), filepath.Join(t.TempDir(), "db1.key"), t.TempDir()
	for _, name := range []string{"a", "b"} {
		if err := os.WriteFile(filepath.Join(project, name), []byte(strings.Repeat(name, 10_000)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	must := func(want int, env []string, args ...string) string {
		t.Helper()
		env = append([]string{"PACKSTONE_REPOSITORY=minio+" + server.Endpoint + "/bucket/p"}, env...)
		code, stdout, stderr := runWith(t, env, args...)
		if code != want {
			t.Fatalf("%v ends with %d, want %d\n%s%s", args, code, want, stdout, stderr)
		}
		return stdout
	}
	root := []string{"HOME=" + home, "PACKSTONE_S3_ACCESS_KEY=" + server.AccessKey, "PACKSTONE_S3_SECRET_KEY=" + server.SecretKey}
	must(0, root, "init")
	must(0, root, "key", "writer", "add", "db1", "-o", key)
	policy := must(0, root, "doctor", "--print-policy", "writer", "db1", "--principal", "host")
	_, err := server.Client().PutBucketPolicy(t.Context(), &s3.PutBucketPolicyInput{Bucket: aws.String("bucket"), Policy: &policy})
	if err != nil {
		t.Fatalf("%v\n%s", err, policy)
	}

	host := []string{"HOME=" + t.TempDir(), "PACKSTONE_S3_ACCESS_KEY=host", "PACKSTONE_S3_SECRET_KEY=host-secret", "PACKSTONE_WRITER_FILE=" + key}
	must(0, host, "backup", project)
	must(0, host, "backup", project)
	report := must(0, host, "doctor")
	if !strings.Contains(report, "may not delete") {
		t.Errorf("doctor does not say that the host can't delete:\n%s", report)
	}
	withIdentity := append(host, "PACKSTONE_IDENTITY_FILE="+filepath.Join(home, ".config/packstone/identity.txt"))
	if code, _, _ := runWith(t, append(withIdentity, "PACKSTONE_REPOSITORY=minio+"+server.Endpoint+"/bucket/p"),
		"restore", "latest", "--target", t.TempDir()); code == 0 {
		t.Error("the host's credentials fetch content, with an identity that was stolen")
	}
	must(0, root, "restore", "latest", "--target", filepath.Join(home, "restored"))
}

// TestAReaderReadsWhatWasUnderTheReadersPolicy holds the policy against a server that enforces it: a
// reader restores what a bucket contained before its objects were overwritten, and changes nothing.
func TestAReaderReadsWhatWasUnderTheReadersPolicy(t *testing.T) {
	a := newAttack(t)
	a.server.AddUser(t, "reader", "reader-secret")
	_, policy, _ := runWith(t, a.owner, "doctor", "--print-policy", "reader", "--principal", "reader")
	if _, err := a.server.Client().PutBucketPolicy(t.Context(), &s3.PutBucketPolicyInput{Bucket: aws.String("bucket"), Policy: &policy}); err != nil {
		t.Fatalf("%v\n%s", err, policy)
	}
	before := time.Now()
	time.Sleep(time.Until(before.Truncate(time.Millisecond).Add(2 * time.Millisecond))) // version ids hold milliseconds
	for _, prefix := range []string{"packs/", "log/", "config/", "packstone.json"} {
		key := a.object(prefix)
		if _, err := a.server.Client().PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("bucket"), Key: &key, Body: strings.NewReader("garbage")}); err != nil {
			t.Fatal(err)
		}
	}
	reader := slices.Concat(a.owner, []string{"PACKSTONE_S3_ACCESS_KEY=reader", "PACKSTONE_S3_SECRET_KEY=reader-secret"})
	at := before.Format(time.RFC3339Nano)
	to := t.TempDir()
	a.run(0, reader, "restore", "latest", "--host", "victim", "--versions-at", at, "--target", to)
	got, err := os.ReadFile(filepath.Join(to, a.project, "file"))
	if err != nil || !strings.HasPrefix(string(got), "version 2") {
		t.Errorf("the reader restores %.40q, %v", got, err)
	}
	a.run(0, reader, "check", "--versions-at", at, "--read-data")
	a.raw = s3.New(s3.Options{
		BaseEndpoint: &a.server.Endpoint, Region: a.server.Region, UsePathStyle: true, Credentials: credentials.NewStaticCredentialsProvider("reader", "reader-secret", ""),
	})
	a.denied("put as a reader", a.put("p/packs/x"))
	a.denied("delete as a reader", a.delete(a.pack))
}
