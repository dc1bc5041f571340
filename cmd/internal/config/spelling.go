package config

import (
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
)

// ExpandHome replaces a leading ~ in a path by the home directory, which must be known. It refuses
// ~user.
func ExpandHome(path, home string) (string, error) {
	rest, ok := strings.CutPrefix(path, "~")
	switch {
	case !ok:
		return path, nil
	case rest != "" && rest[0] != '/':
		return "", fmt.Errorf("%s: only ~/ is expanded; write the whole path, or ./%s for a directory of that name", path, path)
	case !filepath.IsAbs(home):
		return "", fmt.Errorf("%s: HOME is not set, so ~ has no meaning", path)
	}
	return filepath.Join(home, rest), nil
}

// translate turns restic's spelling of an address into ours, and refuses what would otherwise be
// taken for a directory of this machine. It returns an address without a scheme unchanged.
func translate(address string) (string, error) {
	scheme, rest, ok := strings.Cut(address, ":")
	if !ok || strings.Contains(scheme, "/") {
		return address, nil
	}
	isURL := strings.HasPrefix(rest, "//")
	switch scheme {
	case "file", "s3", "sftp", "minio+https", "minio+http":
		if isURL {
			return address, nil
		}
	}
	switch scheme {
	case "s3":
		return translateS3(rest)
	case "sftp":
		return "", fmt.Errorf("repository %s: write %s", withoutPassword(address), sftpURL(rest))
	}
	if instead, known := elsewhere[scheme]; known {
		return "", fmt.Errorf("repository %s:…: packstone has no %s storage; %s", scheme, scheme, instead)
	}
	if isURL {
		return address, nil // ParseRepository lists what there is
	}
	return "", fmt.Errorf("repository %s: %s: is not a kind of storage; want a path, s3://bucket/prefix, minio+https://host/bucket/prefix or "+
		"sftp://user@host/path. A directory of that name is ./%s", withoutPassword(address), scheme, withoutPassword(address))
}

// elsewhere lists kinds of storage of other programs, with what to use instead.
var elsewhere = map[string]string{
	"rest":   "a server that speaks SFTP is sftp://user@host/path, and one that speaks S3 minio+https://host/bucket/prefix",
	"b2":     "B2 speaks S3: minio+https://s3.REGION.backblazeb2.com/BUCKET/PREFIX, with an application key in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
	"azure":  "put an S3 gateway before it, such as rclone serve s3, and use minio+http://127.0.0.1:8080/BUCKET/PREFIX",
	"gs":     "Google Cloud Storage speaks S3: minio+https://storage.googleapis.com/BUCKET/PREFIX, with an HMAC key in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
	"rclone": "run rclone serve s3 REMOTE: and use minio+http://127.0.0.1:8080/BUCKET/PREFIX, or rclone serve sftp and sftp://",
	"swift":  "Swift speaks S3 where s3api is installed: minio+https://HOST/BUCKET/PREFIX",
}

// translateS3 translates what follows s3: in restic's spelling:
// [https://|http://]host[:port]/bucket[/prefix].
func translateS3(rest string) (string, error) {
	secure, isServer := "https", false
	for _, scheme := range []string{"https", "http"} {
		if below, ok := strings.CutPrefix(rest, scheme+"://"); ok {
			secure, isServer, rest = scheme, true, below
		}
	}
	if strings.Contains(rest, "@") {
		return "", errors.New("repository s3:…: an address can't hold keys; put them into AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
	}
	host, below, _ := strings.Cut(rest, "/")
	switch {
	case !isServer && !strings.ContainsAny(host, ".:") && host != "localhost":
		return "", fmt.Errorf("repository s3:%s: is %s a bucket of AWS or a server? Write s3://%s for the bucket, or minio+https://%s for the server", rest, host, rest, rest)
	case host == "amazonaws.com" || strings.HasSuffix(host, ".amazonaws.com"):
		return "s3://" + below, nil // the region is that of the configuration
	}
	return "minio+" + secure + "://" + host + "/" + below, nil
}

// sftpURL returns restic's user@host:path as a URL. A relative path begins where a login does.
func sftpURL(rest string) string {
	host, path, _ := strings.Cut(rest, ":")
	if !strings.HasPrefix(path, "/") {
		path = "/~/" + path
	}
	user, machine, ok := strings.Cut(host, "@")
	if !ok {
		return "sftp://" + host + (&url.URL{Path: path}).EscapedPath()
	}
	return "sftp://" + url.User(user).String() + "@" + machine + (&url.URL{Path: path}).EscapedPath()
}

// withoutPassword hides what may be a password before an @.
func withoutPassword(address string) string {
	at := strings.LastIndexByte(address, '@')
	if at < 0 {
		return address
	}
	start := strings.LastIndexByte(address[:at], '/') + 1
	if user, _, ok := strings.Cut(address[start:at], ":"); ok && start > 0 {
		return address[:start] + user + ":xxxxx" + address[at:]
	}
	return address
}
