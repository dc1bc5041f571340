package bucket_test

import (
	"strings"
	"testing"

	"github.com/packstone/packstone/archive/store/s3/bucket"
)

func TestAddressesArePrintedAsTheyAreRead(t *testing.T) {
	for text, want := range map[string]string{
		"s3://lake": "s3://lake", "s3://lake/": "s3://lake", "s3a://lake/out/put/": "s3://lake/out/put",
		"minio+http://h:9000/lake/x": "minio+http://h:9000/lake/x", "minio+https://h/lake": "minio+https://h/lake",
	} {
		a, err := bucket.Parse(text)
		if err != nil || a.String() != want || !bucket.IsAddress(text) {
			t.Errorf("%s: got %s, %v, want %s", text, a, err, want)
		}
	}
	for _, text := range []string{"", "/lake", "gs://lake", "s3://", "s3://UPPER", "s3://lake/a//b", "s3://lake/../b", "minio+http:///lake", "s3://k:hunter2@lake/x", "s3://lake/?x"} {
		if _, err := bucket.Parse(text); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: got %v, want an error without secrets", text, err)
		}
	}
}

func FuzzAddressesReadAgain(f *testing.F) {
	for _, text := range []string{"s3://lake/a", "minio+https://[::1]:9/lake/%41", "s3a://lake/ü", "minio+http://h/lake?"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		a, err := bucket.Parse(text)
		if err != nil {
			return
		}
		if a.Bucket == "" || a.Prefix != "" && !strings.HasSuffix(a.Prefix, "/") {
			t.Errorf("%q is read as %+v", text, a)
		}
	})
}
