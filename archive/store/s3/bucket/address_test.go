package s3_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/packstone/packstone/pipeline/remote/s3"
	"github.com/packstone/packstone/pipeline/remote/s3/s3test"
)

func TestAddressesArePrintedAsTheyAreRead(t *testing.T) {
	for text, want := range map[string]string{
		"s3://lake": "s3://lake", "s3://lake/": "s3://lake", "s3a://lake/out/put/": "s3://lake/out/put",
		"minio+http://h:9000/lake/x": "minio+http://h:9000/lake/x", "minio+https://h/lake": "minio+https://h/lake",
	} {
		a, err := s3.Parse(text)
		if err != nil || a.String() != want || !s3.IsAddress(text) {
			t.Errorf("%s: got %s, %v, want %s", text, a, err, want)
		}
	}
	for _, text := range []string{"", "/lake", "gs://lake", "s3://", "s3://UPPER", "s3://lake/a//b", "s3://lake/../b", "minio+http:///lake", "s3://k:hunter2@lake/x", "s3://lake/?x"} {
		if _, err := s3.Parse(text); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: got %v, want an error without secrets", text, err)
		}
	}
}

func FuzzAddressesReadAgain(f *testing.F) {
	for _, text := range []string{"s3://lake/a", "minio+https://[::1]:9/lake/%41", "s3a://lake/ü", "minio+http://h/lake?"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		a, err := s3.Parse(text)
		if err != nil {
			return
		}
		if a.Bucket == "" || a.Prefix != "" && !strings.HasSuffix(a.Prefix, "/") {
			t.Errorf("%q is read as %+v", text, a)
		}
	})
}

func BenchmarkTree(b *testing.B) {
	server := s3test.Start(b)
	const keys = 20_000
	for i := range keys {
		server.Put(fmt.Sprintf("t/dt=%04d/part-%05d-c000.snappy.parquet", i/100, i%100), nil)
	}
	bucket := open(b, server, "minio", s3.Options{})
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		if err := bucket.Tree(context.Background(), s3.TreeOptions{}, func(s3.Node) error { n++; return nil }); err != nil || n != keys+keys/100+1 {
			b.Fatal(n, err)
		}
	}
	b.ReportMetric(float64(b.N)*keys/b.Elapsed().Seconds(), "keys/s")
}
