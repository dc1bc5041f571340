package machine

import (
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

func TestAFirstBackupMakesKeysByItselfOnlyWhereNothingElseCanBeMeant(t *testing.T) {
	u, err := user.LookupId(strconv.Itoa(os.Geteuid()))
	if err != nil {
		t.Skip("this user is not in the password database")
	}
	used := t.TempDir()
	if err := os.MkdirAll(filepath.Join(used, "packstone", "writers"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		env  []string
		want string
	}{
		{nil, ""},
		{[]string{"HOME=" + u.HomeDir + "/"}, ""},
		{[]string{"HOME=/nowhere"}, "HOME is /nowhere"},
		{[]string{"SUDO_USER=alice"}, "under sudo for alice"},
		{[]string{"PACKSTONE_WRITER_FILE=/x"}, "PACKSTONE_WRITER_FILE is set"},
		{[]string{"PACKSTONE_COLLECTOR_FILE=/x"}, "PACKSTONE_COLLECTOR_FILE is set"},
		{[]string{"PACKSTONE_IDENTITY_FILE=/nowhere/id"}, "/nowhere/id, which does not exist"},
		{[]string{"PACKSTONE_CONFIG=/x/p.yaml"}, "/x/p.yaml names no repository"},
		{[]string{"XDG_CONFIG_HOME=" + used}, "holds settings or keys"},
	} {
		m := New(NewEnv(append([]string{"HOME=" + u.HomeDir, "XDG_CONFIG_HOME=" + t.TempDir()}, c.env...)))
		m.Flags = new(Flags)
		why, err := m.WhyAsk()
		if err != nil || !strings.Contains(why, c.want) || (c.want == "") != (why == "") {
			t.Errorf("%q: got %q, %v, want %q", c.env, why, err, c.want)
		}
	}
}

func TestWithoutAHomeNothingIsLookedFor(t *testing.T) {
	for _, c := range []struct {
		env  []string
		good bool
	}{
		{nil, false}, {[]string{"HOME=relative"}, false}, {[]string{"HOME=/h"}, true},
		{[]string{"XDG_CONFIG_HOME=/c", "XDG_DATA_HOME=/d"}, false},
		{[]string{"XDG_CONFIG_HOME=/c", "XDG_DATA_HOME=/d", "XDG_CACHE_HOME=/e"}, true},
	} {
		if err := New(NewEnv(c.env)).CheckHome(); (err == nil) != c.good {
			t.Errorf("%q: got %v", c.env, err)
		}
	}
}
