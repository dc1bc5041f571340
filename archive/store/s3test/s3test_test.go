package s3test_test

import (
	"context"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/packstone/packstone/archive/store/s3test"
)

// write puts an object.
func write(t *testing.T, s *s3test.Server, bucket, key, body string) {
	t.Helper()
	_, err := s.Client().PutObject(context.Background(), &s3.PutObjectInput{Bucket: &bucket, Key: &key, Body: strings.NewReader(body)})
	if err != nil {
		t.Fatal(err)
	}
}

func TestServerKeepsItsDataWhenKilled(t *testing.T) {
	for _, opts := range []s3test.Options{{}, {TLS: true}} {
		s := s3test.Start(t, opts)
		bucket, key := s.Bucket(t), "key"
		write(t, s, bucket, key, "x")
		pid := s.PID()
		s.Kill()
		if s.PID() != 0 {
			t.Error("a killed server has a process")
		}
		s.Restart(t)
		if s.PID() == pid {
			t.Error("a restarted server has the same process")
		}
		if _, err := s.Client().HeadObject(context.Background(), &s3.HeadObjectInput{Bucket: &bucket, Key: &key}); err != nil {
			t.Errorf("head after a restart: %v", err)
		}
		s.Stop()
	}
}

func TestServersRunSideBySide(t *testing.T) {
	a, b := s3test.Start(t, s3test.Options{}), s3test.Start(t, s3test.Options{})
	if a.Endpoint == b.Endpoint || a.Bucket(t) == b.Bucket(t) {
		t.Errorf("both servers are at %s, or their buckets have one name", a.Endpoint)
	}
}
