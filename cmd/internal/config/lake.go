package config

import (
	"context"
	"crypto/x509"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/packstone/packstone/archive/store/limit"
	"github.com/packstone/packstone/archive/store/s3/bucket"
	"github.com/packstone/packstone/pipeline/remote/s3"
	"github.com/packstone/packstone/pipeline/source"
	"github.com/packstone/packstone/pipeline/source/exclude"
	"github.com/packstone/packstone/pipeline/source/files"
	lakesource "github.com/packstone/packstone/pipeline/source/lake"
	"github.com/packstone/packstone/pipeline/target"
	laketarget "github.com/packstone/packstone/pipeline/target/lake"
)

// Lake is a data lake in a directory or a bucket: mostly large files that do not change.
type Lake struct {
	Path          string   `yaml:"path" doc:"The lake's directory, or s3://bucket/prefix (AWS SDK), or minio+https://host:port/bucket/prefix or minio+http://… (minio-go)."`
	Exclude       []string `yaml:"exclude,omitempty" doc:"Patterns of what to leave out, as in .gitignore."`
	KeepTemporary bool     `yaml:"keep_temporary,omitempty" doc:"Take what jobs are still writing too: _temporary/, .spark-staging*/ and _delta_log/.tmp*."`
	AllowEmpty    bool     `yaml:"allow_empty,omitempty" doc:"Accept a lake with nothing in it. Else that is an error."`
	AsOf          string   `yaml:"as_of,omitempty" doc:"A bucket with versions is read as of the moment at which the backup begins; latest reads it as it is meanwhile, a time (RFC 3339) as it was then. With a bucket only."`
	Tags          bool     `yaml:"tags,omitempty" doc:"Ask for the tags of each new object, even where the server does not tell that it has any: one more request for each. With a bucket only."`
	Region        string   `yaml:"region,omitempty" doc:"The bucket's region, if it is not the one that the environment names. With a bucket only."`
	AccessKeyFile string   `yaml:"access_key_file,omitempty" doc:"A file that holds the access key for the bucket, if it is not the environment's. With a bucket only."`
	SecretKeyFile string   `yaml:"secret_key_file,omitempty" doc:"A file that holds the secret key for the bucket. With a bucket only."`
}

// BucketLogin is how to reach buckets if the settings do not say. Functions are called only when a
// bucket is opened.
type BucketLogin struct {
	// Keys returns the keys for a bucket of minio+http(s)://, or of s3://, which without keys uses
	// what the AWS SDK finds. nil means that there are none.
	Keys   func(minio bool) (BucketKeys, error)
	Region string
	CAs    func() (*x509.CertPool, error) // nil: the system's
	// Insecure accepts any certificate of the server.
	Insecure bool
	Proxy    func(*http.Request) (*url.URL, error)
	// Upload and Download limit the bytes per second of all requests to a bucket; 0 means no limit.
	Upload, Download int64
	Bandwidth        func() (upload, download int64) // further ones that change with time; nil: there are none
}

// BucketKeys are secret keys of a bucket.
type BucketKeys struct{ Access, Secret, Session string }

// String hides the keys.
func (BucketKeys) String() string { return "keys" }

// GoString hides the keys.
func (BucketKeys) GoString() string { return "keys" }

// IsBucket reports whether the scheme of an address is that of a bucket.
func IsBucket(address string) bool { return bucket.IsAddress(address) }

// Bucket is the address of a bucket to restore to.
type Bucket struct{ address bucket.Address }

// ParseBucket parses s3://bucket/prefix, minio+https://host:port/bucket/prefix or minio+http://….
func ParseBucket(address string) (Bucket, error) {
	a, err := bucket.Parse(address)
	return Bucket{a}, err
}

// Target opens a folder of a bucket to restore to: the keys that begin with its name. It does not
// connect.
func (b Bucket) Target(folder string, o TargetOptions) (target.Target, error) {
	return openBucketTarget(b.address.Below(folder), o, o.Bucket)
}

func openBucketTarget(a bucket.Address, o TargetOptions, login BucketLogin) (target.Target, error) {
	if o.Owner.Named() || o.Chmod.Named() {
		return nil, fmt.Errorf("%w: objects in a bucket have neither owner nor mode", ErrInvalid)
	}
	b, err := login.open(context.Background(), a)
	if err != nil {
		return nil, err
	}
	return laketarget.New(b, laketarget.Options{Absent: o.Absent, Times: o.Times, ReadOnly: o.ReadOnly}), nil
}

// open opens a bucket. It does not connect.
func (l BucketLogin) open(ctx context.Context, a bucket.Address) (*s3.Bucket, error) {
	limits, err := limit.New(limit.Options{Upload: l.Upload, Download: l.Download, Now: l.Bandwidth})
	if err != nil {
		return nil, err
	}
	o, err := l.options(a.Endpoint != "", limits)
	if err != nil {
		return nil, err
	}
	client, err := bucket.Open(ctx, a, o)
	if err != nil {
		return nil, err
	}
	return s3.New(client, s3.Options{}), nil
}

// options requests keys and certificates.
func (l BucketLogin) options(minio bool, limits *limit.Limits) (o bucket.Options, err error) {
	o = bucket.Options{Region: l.Region, Proxy: l.Proxy, Insecure: l.Insecure, Wrap: limits.Transport}
	if l.CAs != nil {
		if o.CAs, err = l.CAs(); err != nil {
			return o, err
		}
	}
	if l.Keys != nil {
		keys, err := l.Keys(minio)
		if err != nil {
			return o, err
		}
		o.AccessKey, o.SecretKey, o.SessionToken = keys.Access, keys.Secret, keys.Session
	}
	return o, nil
}

// keysAlone requests only the keys of a bucket; the AWS SDK finds everything else.
func (l BucketLogin) keysAlone(limits *limit.Limits) (o bucket.Options, err error) {
	o.Wrap, o.Insecure = limits.Transport, l.Insecure
	if l.CAs != nil {
		if o.CAs, err = l.CAs(); err != nil {
			return o, err
		}
	}
	if l.Keys == nil {
		return o, nil
	}
	keys, err := l.Keys(false)
	o.AccessKey, o.SecretKey, o.SessionToken = keys.Access, keys.Secret, keys.Session
	return o, err
}

// Location returns the path, or the address of the bucket.
func (l *Lake) Location() string {
	if a, err := bucket.Parse(l.Path); err == nil {
		return a.String()
	}
	return l.Path
}

func (l *Lake) check(d *decoder, at string) {
	d.checkFilled(at+".path", l.Path)
	if !strings.Contains(l.Path, "://") {
		l.Path = d.resolve(l.Path)
		d.refuse(at, "with a directory", map[string]bool{
			"as_of": l.AsOf != "", "tags": l.Tags, "region": l.Region != "", "access_key_file": l.AccessKeyFile != "", "secret_key_file": l.SecretKeyFile != "",
		})
		d.checkOpens(at, l)
		return
	}
	if _, err := bucket.Parse(l.Path); err != nil {
		d.problemAt(at+".path", "%v", err)
	}
	if _, err := exclude.Parse(l.Exclude, exclude.Place{}); err != nil {
		d.problemAt(at, "%v", err)
	}
	if _, _, err := l.moment(); err != nil {
		d.problemAt(at+".as_of", "%v", err)
	}
	if (l.AccessKeyFile == "") != (l.SecretKeyFile == "") {
		d.problemAt(at, "set both of access_key_file and secret_key_file, or none")
	}
	l.AccessKeyFile, l.SecretKeyFile = d.resolve(l.AccessKeyFile), d.resolve(l.SecretKeyFile)
}

// moment returns the moment as of which to read a bucket with versions, or latest. If neither is
// set, it is when the backup begins.
func (l *Lake) moment() (at time.Time, latest bool, err error) {
	switch l.AsOf {
	case "":
		return at, false, nil
	case "latest":
		return at, true, nil
	}
	at, err = time.Parse(time.RFC3339, l.AsOf)
	if err != nil {
		return at, false, fmt.Errorf("%q is neither latest nor a time like 2026-11-20T14:00:00Z", l.AsOf)
	}
	return at, false, nil
}

// login returns how to log in, by the settings or else by the environment.
func (l *Lake) login(login BucketLogin) BucketLogin {
	if l.Region != "" {
		login.Region = l.Region
	}
	if l.AccessKeyFile != "" {
		login.Keys = func(bool) (keys BucketKeys, err error) {
			if keys.Access, err = readKey(l.AccessKeyFile); err != nil {
				return keys, err
			}
			keys.Secret, err = readKey(l.SecretKeyFile)
			return keys, err
		}
	}
	return login
}

func readKey(file string) (string, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("read a key of the lake: %w", err)
	}
	key := strings.TrimSpace(string(text))
	if key == "" {
		return "", fmt.Errorf("read a key of the lake: %w: %s is empty", ErrInvalid, file)
	}
	return key, nil
}

func (l *Lake) open(ctx context.Context, opts OpenOptions) (source.Source, error) {
	if !IsBucket(l.Path) {
		return l.openDirectory(opts)
	}
	a, err := bucket.Parse(l.Path)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	at, latest, err := l.moment()
	if err != nil {
		return nil, fmt.Errorf("%w: as_of: %w", ErrInvalid, err)
	}
	b, err := l.login(opts.Bucket).open(ctx, a)
	if err != nil {
		return nil, err
	}
	return sourceOf(lakesource.New(b, lakesource.Options{
		Exclude: l.Exclude, AllowEmpty: l.AllowEmpty || opts.AllowEmpty, KeepTemporary: l.KeepTemporary, AsOf: at, Latest: latest, Tags: l.Tags, Note: opts.Note,
	}))
}

func (l *Lake) openDirectory(opts OpenOptions) (source.Source, error) {
	leaveOut := l.Exclude
	if !l.KeepTemporary {
		leaveOut = slices.Concat(lakesource.Temporary, l.Exclude)
	}
	return sourceOf(files.New(files.Options{
		Roots: []string{l.Path}, Directory: true, Exclude: leaveOut, AllowEmpty: l.AllowEmpty || opts.AllowEmpty, Class: source.ClassLarge, Parallel: opts.Parallel,
		LeaveOut: opts.LeaveOut, LeftOut: opts.LeftOut,
	}))
}

func (l *Lake) parts() []Part {
	now := *l
	now.AllowEmpty, now.AsOf, now.Tags = true, "latest", false
	if !IsBucket(l.Path) {
		return []Part{{Path: path.Clean(l.Path), source: now.open}}
	}
	return []Part{{source: now.open, open: func(_ context.Context, o TargetOptions) (target.Target, error) {
		a, err := bucket.Parse(l.Path)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
		}
		return openBucketTarget(a, o, l.login(o.Bucket))
	}}}
}
