package config

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/packstone/packstone/archive/store/s3/bucket"
	"github.com/packstone/packstone/pipeline/local"
)

// Kind is a kind of storage.
type Kind int

const (
	Local Kind = iota // a directory
	S3                // a bucket, through the AWS SDK
	Minio             // a bucket of an S3-compatible server, through minio-go
	SFTP              // a directory on a server that speaks SFTP
)

// Repository is the parsed address of a repository.
type Repository struct {
	Kind     Kind
	Path     string // Local: the directory
	Endpoint string // Minio: https://host:port or http://host:port
	Bucket   string
	Prefix   string // in the bucket, without slashes around it
	Remote   Remote // SFTP: the server, and the directory on it
}

// IsBucket reports whether the repository is in a bucket.
func (r Repository) IsBucket() bool { return r.Kind == S3 || r.Kind == Minio }

// ParseRepository parses an address: a path, file:///path, s3://bucket/prefix,
// minio+https://host:port/bucket/prefix, minio+http://host:port/bucket/prefix or
// sftp://user@host:port/path. It refuses an address that contains a password, and does not repeat
// it in the error.
//
// It accepts restic's spelling s3:host/bucket/prefix. Other kinds of storage are refused, and never
// become a directory of that name.
func ParseRepository(address string) (Repository, error) {
	address, err := translate(address)
	if err != nil {
		return Repository{}, err
	}
	scheme, _, isURL := strings.Cut(address, "://")
	if !isURL {
		return localRepository(address)
	}
	u, err := url.Parse(address)
	if err != nil {
		return Repository{}, fmt.Errorf("repository %s://…: not a valid URL", scheme)
	}
	if scheme == "sftp" {
		return remoteRepository(address)
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
	return Repository{}, fmt.Errorf("repository %s: packstone has no %s storage; want a path, file:///path, s3://bucket/prefix, minio+https://host/bucket/prefix "+
		"or sftp://user@host/path", address, scheme)
}

func localRepository(path string) (Repository, error) {
	if path == "" {
		return Repository{}, fmt.Errorf("repository: the path is empty")
	}
	clean := filepath.Clean(path)
	if first, _, _ := strings.Cut(clean, "/"); strings.Contains(first, ":") {
		clean = "./" + clean // what ParseRepository takes for a directory
	}
	return Repository{Kind: Local, Path: clean}, nil
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

func remoteRepository(address string) (Repository, error) {
	remote, err := ParseRemote(address)
	if err != nil {
		return Repository{}, fmt.Errorf("repository %w", err)
	}
	if remote.HasPassword() {
		return Repository{}, fmt.Errorf("repository %s: an address can't hold a password; log in by a key, or put the password into a file "+
			"that PACKSTONE_REMOTE_PASSWORD_FILE names", remote)
	}
	if strings.Trim(remote.Path, "/") == "" {
		return Repository{}, fmt.Errorf("repository %s: names no directory; /~/x is the directory x below where a login begins", remote)
	}
	return Repository{Kind: SFTP, Remote: remote}, nil
}

// bucket returns the address of the repository's bucket.
func (r Repository) bucket() bucket.Address {
	return bucket.Address{Endpoint: r.Endpoint, Bucket: r.Bucket}.Below(r.Prefix)
}

// String returns the address in the form that ParseRepository reads.
func (r Repository) String() string {
	switch r.Kind {
	case Local:
		return r.Path
	case SFTP:
		return r.Remote.String()
	}
	return r.bucket().String()
}

// attributeCache is how long a host may cache the attributes of a directory on a server.
const attributeCache = time.Minute

// Settle returns how long a collector waits until other hosts see what it has written, and how long
// until operations that they have begun have ended.
func (r Repository) Settle() (settle, linger time.Duration) {
	switch {
	case r.Kind == SFTP:
		return 2 * attributeCache, attributeCache
	case r.Kind == Local && onServer(r.Path):
		return 2 * attributeCache, 0
	}
	return 0, 0
}

// onServer reports whether a directory is, or may be, on a server.
func onServer(dir string) bool {
	file, err := os.Open(dir)
	if err != nil {
		return true
	}
	defer file.Close()
	system, err := local.SystemOf(int(file.Fd()))
	return err != nil || system.Remote
}
