package lake_test

import (
	"context"
	"testing"

	"github.com/packstone/packstone/archive/store/s3/bucket"
	"github.com/packstone/packstone/archive/store/s3test"
	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/pipeline/remote/s3"
	stub "github.com/packstone/packstone/pipeline/remote/s3/s3test"
	"github.com/packstone/packstone/pipeline/source"
	"github.com/packstone/packstone/pipeline/source/lake"
	"github.com/packstone/packstone/pipeline/source/sourcetest"
)

// keeps is what a bucket tells. Modes are those that the options give, which the tests have as the
// suite's.
var keeps = sourcetest.Keeps{Root: true, Directories: true, Mode: true, Identity: true, EmptyIsError: true}

var options = lake.Options{FileMode: 0o640, DirectoryMode: 0o750}

// place puts a tree into a bucket, below its prefix.
func place(t *testing.T, b *s3.Bucket, tree sourcetest.Tree) {
	t.Helper()
	var old []string
	if err := b.Tree(context.Background(), s3.TreeOptions{}, func(n s3.Node) error {
		if n.Object.Key != "" {
			old = append(old, n.Object.Key)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if err := b.Remove(context.Background(), old); err != nil {
		t.Fatal(err)
	}
	for i := range tree {
		key := b.Key(tree[i].Path)
		if tree[i].Type == entry.Directory {
			key += "/"
		}
		if err := b.Put(context.Background(), key, s3.NewBody(tree[i].Content), s3.PutOptions{}); err != nil {
			t.Fatal(err)
		}
	}
}

func conformance(t *testing.T, address string, o bucket.Options) {
	b := open(t, address, o)
	k := keeps
	k.Remove = func(t *testing.T, path string) {
		if err := b.Remove(context.Background(), []string{b.Key(path)}); err != nil {
			t.Fatal(err)
		}
	}
	k.Replace = func(t *testing.T, path string, content []byte) {
		if err := b.Put(context.Background(), b.Key(path), s3.NewBody(content), s3.PutOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	sourcetest.Run(t, func(t *testing.T, tree sourcetest.Tree) source.Source {
		place(t, b, tree)
		s, err := lake.New(open(t, address, o), options)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}, k)
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
	t.Run("aws", func(t *testing.T) { test(t, "s3://"+bucket+"/lake/output") })
	t.Run("minio", func(t *testing.T) { test(t, "minio+"+endpoint+"/"+bucket+"/lake/output") })
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
