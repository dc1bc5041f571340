package s3test

import (
	"context"
	"encoding/json"
	"os/exec"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// Grant lets a user do some actions on some objects of a bucket.
type Grant struct {
	AccessKey string
	Actions   []string // such as "s3:PutObject"; "s3:ListBucket" is about the bucket itself
	Objects   []string // patterns of keys such as "packs/*"; none stands for the bucket itself
}

// AddUser makes a user who may do nothing until a policy grants it.
func (s *Server) AddUser(t testing.TB, accessKey, secretKey string) {
	t.Helper()
	cmd := exec.Command(s.program, "admin", "--access", s.AccessKey, "--secret", s.SecretKey, "--endpoint-url", s.Endpoint,
		"--allow-insecure", "create-user", "--access", accessKey, "--secret", secretKey, "--role", "user")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("add user %s: %v\n%s", accessKey, err, out)
	}
}

// SetPolicy makes the grants the policy of a bucket, in place of the one before.
func (s *Server) SetPolicy(t testing.TB, bucket string, grants ...Grant) {
	t.Helper()
	policy, err := json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": statements(bucket, grants)})
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Client().PutBucketPolicy(context.Background(), &s3.PutBucketPolicyInput{Bucket: &bucket, Policy: aws.String(string(policy))})
	if err != nil {
		t.Fatalf("set policy %s: %v", policy, err)
	}
}

type statement struct {
	Effect           string
	Principal        map[string]string
	Action, Resource []string
}

func statements(bucket string, grants []Grant) []statement {
	list := make([]statement, len(grants))
	for i, g := range grants {
		list[i] = statement{Effect: "Allow", Principal: map[string]string{"AWS": g.AccessKey}, Action: g.Actions}
		if len(g.Objects) == 0 {
			list[i].Resource = []string{"arn:aws:s3:::" + bucket}
		}
		for _, object := range g.Objects {
			list[i].Resource = append(list[i].Resource, "arn:aws:s3:::"+bucket+"/"+object)
		}
	}
	return list
}
