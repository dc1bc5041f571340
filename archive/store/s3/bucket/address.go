package bucket

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"
)

// Address is where objects are: a bucket, and a prefix that ends in a slash unless it is empty.
type Address struct {
	// Endpoint is http://host:port or https://host:port for minio+http:// and minio+https://, which
	// go through minio-go. It is empty for s3://, which goes through the AWS SDK to where its
	// configuration leads.
	Endpoint string
	Bucket   string
	Prefix   string
}

// IsAddress tells whether text is one that Parse is meant for.
func IsAddress(text string) bool {
	for _, scheme := range []string{"s3://", "s3a://", "minio+https://", "minio+http://"} {
		if strings.HasPrefix(text, scheme) {
			return true
		}
	}
	return false
}

// bucketName is what all servers take.
var bucketName = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)

// Parse takes s3://bucket/prefix, minio+https://host:port/bucket/prefix or
// minio+http://host:port/bucket/prefix apart. An address that holds keys is refused, and they are
// not repeated in the error.
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

// Below is the address of what lies below a further path.
func (a Address) Below(path string) Address {
	if path = strings.Trim(path, "/"); path != "" {
		a.Prefix += path + "/"
	}
	return a
}

// String is the address as Parse takes it.
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
