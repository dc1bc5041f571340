package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
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
