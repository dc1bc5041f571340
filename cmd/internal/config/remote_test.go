package config

import (
	"fmt"
	"strings"
	"testing"
)

func TestAddressesOfServersAreReadAndPrintedWithoutPassword(t *testing.T) {
	for text, want := range map[string]Remote{
		"ftp://h":                       {Scheme: "ftp", Host: "h"},
		"FTP://h/":                      {Scheme: "ftp", Host: "h", Path: "/"},
		"ftps://u@h:990/a//b/":          {Scheme: "ftps", User: "u", Host: "h", Port: 990, Path: "/a/b"},
		"ftpes://u:p%40w@h/a%20b":       {Scheme: "ftpes", User: "u", Host: "h", Path: "/a b", password: "p@w", hasPassword: true},
		"sftp://[::1]:2222/~/data/":     {Scheme: "sftp", Host: "::1", Port: 2222, Path: "data"},
		"sftp://h/~":                    {Scheme: "sftp", Host: "h"},
		"sftp://u:hunter2@[::1]/x%3Fy":  {Scheme: "sftp", User: "u", Host: "::1", Path: "/x?y", password: "hunter2", hasPassword: true},
		"ftp://domain%5Cuser@h/%C3%BC/": {Scheme: "ftp", User: `domain\user`, Host: "h", Path: "/ü"},
	} {
		got, err := ParseRemote(text)
		if err != nil || got != want {
			t.Errorf("%s: got %+v, %v, want %+v", text, got, err, want)
		}
		shown := got.String() + fmt.Sprintf("%v %+v %#v", got, got, got)
		if strings.Contains(shown, "hunter2") || strings.Contains(shown, "p@w") {
			t.Errorf("%s is shown as %s", text, shown)
		}
		want.password, want.hasPassword = "", false
		if again, err := ParseRemote(got.String()); err != nil || again != want {
			t.Errorf("%s is printed as %s, which reads as %+v, %v", text, got, again, err)
		}
	}
	for _, text := range []string{"", "/srv", "http://h", "ftp://", "ftp:///x", "ftp://h/a/../b", "sftp://h:0/", "sftp://h:99999/", "ftp://u:hunter2@h/?x", "ftp://u:hunter2@h:x/"} {
		if _, err := ParseRemote(text); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: got %v, want an error without the password", text, err)
		}
	}
}
