package config

import (
	"net/url"
	"strings"
	"testing"
)

// FuzzAddresses parses addresses of repositories and servers: none shows its password, and what is
// taken is printed so that it means the same.
func FuzzAddresses(f *testing.F) {
	const secret = "hunter2!"
	for _, seed := range []string{
		"/srv/repo", "file:///srv/repo", "s3://bucket/a/b", "s3:host/bucket/a", "minio+https://h:9/b/p", "sftp://u:" + secret + "@h:22/~/x", "ftp://u:" + secret + "@[::1]/a%2Fb", "ftps://h",
		"s3://k:" + secret + "@b/x", "x://u:" + secret + "@h?q", "sftp:u@h:dir", "rest:http://u:" + secret + "@h/", "rclone:x:y", "ftpes://u:" + secret + "@h/../x", "sftp://u:" + secret + "@h:99999/",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, address string) {
		repository, repositoryErr := ParseRepository(address)
		remote, remoteErr := ParseRemote(address)
		if u, err := url.Parse(address); err == nil && u.User != nil && strings.Contains(address, "://") {
			if password, _ := u.User.Password(); password == secret && strings.Count(address, secret) == 1 {
				for _, shown := range []string{repository.Path + repository.Endpoint + repository.Bucket, remote.String(), text(repositoryErr), text(remoteErr)} {
					if strings.Contains(shown, secret) {
						t.Errorf("%q shows its password: %s", address, shown)
					}
				}
			}
		}
		if remoteErr == nil {
			again, err := ParseRemote(remote.String())
			remote.password, remote.hasPassword = "", false
			if err != nil || again != remote {
				t.Errorf("%q is %#v, which is read as %#v, %v", address, remote, again, err)
			}
		}
		if repositoryErr == nil && repository.Kind == Local && repository.Path == "" {
			t.Errorf("%q is no place", address)
		}
	})
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
