package config

import (
	"fmt"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
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
	scheme, rest, isURL := strings.Cut(address, "://")
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
		bucket, prefix, _ := strings.Cut(rest, "/")
		return bucketRepository(address, Repository{Kind: S3, Bucket: bucket, Prefix: prefix})
	case "minio+https", "minio+http":
		bucket, prefix, _ := strings.Cut(strings.TrimPrefix(u.Path, "/"), "/")
		endpoint := strings.TrimPrefix(scheme, "minio+") + "://" + u.Host
		if u.Hostname() == "" {
			return Repository{}, fmt.Errorf("repository %s: names no host", address)
		}
		return bucketRepository(address, Repository{Kind: Minio, Endpoint: endpoint, Bucket: bucket, Prefix: prefix})
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

// validBucket is what all servers take as a bucket's name.
var validBucket = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)

func bucketRepository(address string, r Repository) (Repository, error) {
	if !validBucket.MatchString(r.Bucket) {
		return Repository{}, fmt.Errorf("repository %s: %q can't be a bucket; use 3 to 63 lower-case letters, digits, dots and dashes", address, r.Bucket)
	}
	r.Prefix = strings.Trim(r.Prefix, "/")
	for segment := range strings.SplitSeq(r.Prefix, "/") {
		if r.Prefix != "" && (segment == "" || segment == "." || segment == "..") {
			return Repository{}, fmt.Errorf("repository %s: the prefix holds %q", address, segment)
		}
	}
	return r, nil
}

// String is the address that ParseRepository reads.
func (r Repository) String() string {
	switch r.Kind {
	case S3:
		return strings.TrimSuffix("s3://"+r.Bucket+"/"+r.Prefix, "/")
	case Minio:
		return strings.TrimSuffix("minio+"+r.Endpoint+"/"+r.Bucket+"/"+r.Prefix, "/")
	}
	return r.Path
}
