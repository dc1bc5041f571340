package lake_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/packstone/packstone/archive/store/s3/bucket"
	"github.com/packstone/packstone/archive/store/s3test"
	"github.com/packstone/packstone/pipeline/remote/s3"
	stub "github.com/packstone/packstone/pipeline/remote/s3/s3test"
	"github.com/packstone/packstone/pipeline/target"
	"github.com/packstone/packstone/pipeline/target/lake"
	"github.com/packstone/packstone/pipeline/target/targettest"
)

func conformance(t *testing.T, address string, o bucket.Options) {
	n := 0
	targettest.Run(t, func(t *testing.T, fresh bool) target.Target {
		if fresh {
			n++
		}
		return lake.New(open(t, fmt.Sprintf("%s/place-%d", address, n), o), lake.Options{})
	}, targettest.Keeps{})
}

func open(t testing.TB, address string, o bucket.Options) *s3.Bucket {
	t.Helper()
	a, err := bucket.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	client, err := bucket.Open(context.Background(), a, o)
	if err != nil {
		t.Fatal(err)
	}
	return s3.New(client, s3.Options{})
}

// throughBoth runs a test with the addresses of a bucket for either SDK.
func throughBoth(t *testing.T, endpoint, bucket string, test func(t *testing.T, address string)) {
	t.Setenv("AWS_ENDPOINT_URL_S3", endpoint)
	t.Setenv("AWS_CONFIG_FILE", "/dev/null")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
	t.Run("aws", func(t *testing.T) { test(t, "s3://"+bucket+"/aws") })
	t.Run("minio", func(t *testing.T) { test(t, "minio+"+endpoint+"/"+bucket+"/minio") })
}

func TestConformanceOnVersitygw(t *testing.T) {
	server := s3test.Start(t, s3test.Options{})
	o := bucket.Options{AccessKey: server.AccessKey, SecretKey: server.SecretKey}
	throughBoth(t, server.Endpoint, server.Bucket(t), func(t *testing.T, address string) { conformance(t, address, o) })
}

func TestConformanceOverTLS(t *testing.T) {
	server := s3test.Start(t, s3test.Options{TLS: true})
	o := bucket.Options{AccessKey: server.AccessKey, SecretKey: server.SecretKey, CAs: server.CAs}
	throughBoth(t, server.Endpoint, server.Bucket(t), func(t *testing.T, address string) { conformance(t, address, o) })
}

func TestConformanceInMemory(t *testing.T) {
	server := stub.Start(t)
	o := bucket.Options{AccessKey: stub.AccessKey, SecretKey: stub.SecretKey}
	throughBoth(t, server.URL, server.Bucket, func(t *testing.T, address string) { conformance(t, address, o) })
}
