package config

import (
	"strings"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/archive/store"
)

// Classes are the storage classes in which a bucket keeps the objects of a repository.
type Classes struct {
	Packs    string `yaml:"storage_class,omitempty" doc:"The storage class of packs of file content, as S3 names it, such as STANDARD_IA, GLACIER_IR, GLACIER or DEEP_ARCHIVE. Without it, that of the bucket: STANDARD. With a bucket only."`
	Metadata string `yaml:"metadata_storage_class,omitempty" doc:"The storage class of everything else: trees, the index and the log. One that can be read at once. Without it, that of the bucket: STANDARD. With a bucket only."`
}

// Of returns the class of an object, by its name.
func (c Classes) Of(name string) store.Class {
	if strings.HasPrefix(name, string(archive.Data)+"/") {
		return store.Class(c.Packs)
	}
	return store.Class(c.Metadata)
}

// check checks the classes of the repository at an address.
func (c Classes) check(d *decoder, path string, at Repository) {
	packs, metadata := join(path, "storage_class"), join(path, "metadata_storage_class")
	for setting, class := range map[string]string{packs: c.Packs, metadata: c.Metadata} {
		if class == "" {
			continue
		}
		if !at.IsBucket() {
			d.problemAt(setting, "is only for a bucket, and %s is not one", at)
		} else if err := store.Class(class).Check(); err != nil {
			d.problemAt(setting, "%v", err)
		}
	}
	if store.Class(c.Metadata).NeedsThaw() {
		d.problemAt(metadata, "%s must be thawed before it is read, and packstone reads metadata in every run; want a class that can be read at once", c.Metadata)
	}
}

// ClassesAt returns the classes of the repository with a name or at an address.
func (c *Config) ClassesAt(named string) Classes {
	if name := c.TargetAt(named); name != "" {
		return c.Repositories[name].Classes
	}
	at, err := ParseRepository(named)
	if own, failed := ParseRepository(c.Repository); err == nil && failed == nil && own.String() == at.String() {
		return c.Classes
	}
	return Classes{}
}
