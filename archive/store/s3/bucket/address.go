package bucket

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"
)

// Address is a bucket, and a prefix of keys that ends in a slash unless it is empty.
type Address struct {
	// Endpoint is http://host:port or https://host:port for minio+http:// and minio+https://, which
	// use minio-go. It is empty for s3://, which uses the AWS SDK and the endpoint of its
	// configuration.
	Endpoint string
	Bucket   string
	Prefix   string
}

// IsAddress reports whether text has a form that Parse is meant for.
func IsAddress(text string) bool {
	for _, scheme := range []string{"s3://", "s3a://", "minio+https://", "minio+http://"} {
		if strings.HasPrefix(text, scheme) {
			return true
		}
	}
	return false
}

// bucketName matches the names that all servers accept.
var bucketName = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)

// Parse reads s3://bucket/prefix, minio+https://host:port/bucket/prefix or
// minio+http://host:port/bucket/prefix. It refuses an address that contains keys, and does not
// repeat them in the error.
func Parse(text string) (Address, error) {
	scheme, rest, _ := strings.Cut(text, "://")
	u, err := url.Parse(text)
	if err != nil {
		return Address{}, fmt.Errorf("%s://…: not a valid URL", scheme)
	}
	if u.User != nil {
		return Address{}, fmt.Errorf("%s: an address can't hold keys; put them into files or the environment", u.Redacted())
	}
	if u.RawQuery != "" || u.Fragment != "" {
		return Address{}, fmt.Errorf("%s: an address has no ? or #", text)
	}
	var a Address
	switch scheme {
	case "s3", "s3a": // as Hadoop writes it
		a.Bucket, a.Prefix, _ = strings.Cut(rest, "/")
	case "minio+https", "minio+http":
		if u.Hostname() == "" {
			return Address{}, fmt.Errorf("%s: names no host", text)
		}
		a.Endpoint = strings.TrimPrefix(scheme, "minio+") + "://" + u.Host
		a.Bucket, a.Prefix, _ = strings.Cut(strings.TrimPrefix(u.Path, "/"), "/")
	default:
		return Address{}, fmt.Errorf("%s: want s3://bucket/prefix or minio+https://host/bucket/prefix", text)
	}
	return a.complete(text)
}

func (a Address) complete(text string) (Address, error) {
	if !bucketName.MatchString(a.Bucket) {
		return a, fmt.Errorf("%s: %q can't be a bucket; use 3 to 63 lower-case letters, digits, dots and dashes", text, a.Bucket)
	}
	a.Prefix = strings.Trim(a.Prefix, "/")
	if a.Prefix == "" {
		return a, nil
	}
	for segment := range strings.SplitSeq(a.Prefix, "/") {
		if segment == "" || segment == "." || segment == ".." {
			return a, fmt.Errorf("%s: the prefix holds %q", text, segment)
		}
	}
	a.Prefix += "/"
	return a, nil
}

// Below returns the address with a further path appended.
func (a Address) Below(path string) Address {
	if path = strings.Trim(path, "/"); path != "" {
		a.Prefix += path + "/"
	}
	return a
}

// String returns the address in the form that Parse reads.
func (a Address) String() string {
	text := "s3://" + a.Bucket
	if a.Endpoint != "" {
		text = "minio+" + a.Endpoint + "/" + a.Bucket
	}
	return strings.TrimSuffix(text+"/"+a.Prefix, "/")
}

func (a Address) check() error {
	if u, err := url.Parse(a.Endpoint); a.Endpoint != "" && (err != nil || u.Host == "" || a.Endpoint != u.Scheme+"://"+u.Host) {
		return fmt.Errorf("the endpoint is not http://host:port or https://host:port")
	}
	_, err := a.complete(a.String())
	return err
}
