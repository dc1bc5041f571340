package config

import (
	"fmt"
	"net/url"
	"path/filepath"
	"strings"

	"github.com/packstone/packstone/archive/store/s3/bucket"
)

// Kind is a way to keep a repository.
type Kind int

const (
	Local Kind = iota // a directory
	S3                // a bucket, through the AWS SDK
	Minio             // a bucket of an S3-compatible server, through minio-go
)

// Repository is the address of a repository, taken apart.
type Repository struct {
	Kind     Kind
	Path     string // Local: the directory
	Endpoint string // Minio: https://host:port or http://host:port
	Bucket   string
	Prefix   string // in the bucket, without slashes around it
}

// ParseRepository takes an address apart: a path, file:///path, s3://bucket/prefix, minio+https://host:port/bucket/prefix or
// minio+http://host:port/bucket/prefix. An address that holds a password is refused, and not repeated in the error.
func ParseRepository(address string) (Repository, error) {
	scheme, _, isURL := strings.Cut(address, "://")
	if !isURL {
		return localRepository(address)
	}
	u, err := url.Parse(address)
	if err != nil {
		return Repository{}, fmt.Errorf("repository %s://…: not a valid URL", scheme)
	}
	if u.User != nil {
		return Repository{}, fmt.Errorf("repository %s: an address can't hold keys; put them into AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, "+
			"or PACKSTONE_S3_ACCESS_KEY_FILE and PACKSTONE_S3_SECRET_KEY_FILE", u.Redacted())
	}
	if u.RawQuery != "" || u.Fragment != "" {
		return Repository{}, fmt.Errorf("repository %s://%s/…: an address has no ? or #", scheme, u.Host)
	}
	switch scheme {
	case "file":
		return fileRepository(u)
	case "s3":
		return bucketRepository(S3, address)
	case "minio+https", "minio+http":
		return bucketRepository(Minio, address)
	}
	return Repository{}, fmt.Errorf("repository %s: want a path, file:///path, s3://bucket/prefix or minio+https://host/bucket/prefix", address)
}

func localRepository(path string) (Repository, error) {
	if path == "" {
		return Repository{}, fmt.Errorf("repository: the path is empty")
	}
	return Repository{Kind: Local, Path: filepath.Clean(path)}, nil
}

func fileRepository(u *url.URL) (Repository, error) {
	if u.Host != "" || !strings.HasPrefix(u.Path, "/") {
		return Repository{}, fmt.Errorf("repository %s: want three slashes and an absolute path, as in file:///srv/backup", u)
	}
	return localRepository(u.Path)
}

func bucketRepository(kind Kind, address string) (Repository, error) {
	a, err := bucket.Parse(address)
	if err != nil {
		return Repository{}, fmt.Errorf("repository %w", err)
	}
	return Repository{Kind: kind, Endpoint: a.Endpoint, Bucket: a.Bucket, Prefix: strings.TrimSuffix(a.Prefix, "/")}, nil
}

// bucket is the address of the repository's bucket.
func (r Repository) bucket() bucket.Address {
	return bucket.Address{Endpoint: r.Endpoint, Bucket: r.Bucket}.Below(r.Prefix)
}

// String is the address that ParseRepository reads.
func (r Repository) String() string {
	if r.Kind == Local {
		return r.Path
	}
	return r.bucket().String()
}
