package config

import (
	"strings"
	"testing"

	"github.com/packstone/packstone/archive/store"
)

func TestStorageClassesThatCannotBeHonouredAreRefused(t *testing.T) {
	for _, test := range []struct{ settings, want string }{
		{"repository: s3://bkt/p\nstorage_class: DEEP_ARCHIVE\nmetadata_storage_class: GLACIER_IR\n", ""},
		{"repositories:\n  a: {url: s3://bkt/p, storage_class: GLACIER}\n", ""},
		{"repository: s3://bkt/p\nstorage_class: COLD\n", `storage_class: there is no storage class "COLD"; these are known: STANDARD,`},
		{"repository: s3://bkt/p\nmetadata_storage_class: GLACIER\n", "metadata_storage_class: GLACIER must be thawed"},
		{"repository: /srv/b\nstorage_class: GLACIER\n", "storage_class: is only for a bucket, and /srv/b is not one"},
		{"repository: sftp://h/b\nmetadata_storage_class: STANDARD\n", "metadata_storage_class: is only for a bucket"},
		{"storage_class: GLACIER\n", "storage_class: is of a repository that the settings name"},
		{"storage_class: GLACIER\nrepositories:\n  a: {url: s3://bkt/p}\n", "storage_class: each of repositories has storage classes of its own"},
		{"repositories:\n  a: {url: s3://bkt/p, metadata_storage_class: DEEP_ARCHIVE}\n", "repositories.a.metadata_storage_class: DEEP_ARCHIVE must be thawed"},
	} {
		_, err := Parse("f.yaml", []byte("version: 1\n"+test.settings), func(string) (string, bool) { return "", false })
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", test.settings, err, test.want)
		}
	}
}

func TestEachRepositoryHasItsClasses(t *testing.T) {
	one := &Config{Repository: "s3://bkt/p", Classes: Classes{Packs: "GLACIER"}}
	several := &Config{Repositories: map[string]Target{"a": {URL: "s3://bkt/p", Classes: Classes{Packs: "GLACIER"}}, "c": {URL: "s3://bkt/q"}}}
	for _, c := range []*Config{one, several} {
		classes := c.ClassesAt("s3://bkt/p")
		if classes.Of("packs/ab/abcd") != "GLACIER" || classes.Of("trees/ab/abcd") != store.Class("") || classes.Of("packstone.json") != store.Class("") {
			t.Errorf("classes = %+v", classes)
		}
		if other := c.ClassesAt("s3://bkt/q"); other != (Classes{}) {
			t.Errorf("another repository has %+v", other)
		}
	}
}
