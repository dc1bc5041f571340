package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/packstone/packstone/pipeline/remote/sftp/sftptest"
)

// quietServer accepts connections, takes in what comes, and says nothing.
func quietServer(t *testing.T) (port int) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { c.Close() })
			go func() { _, _ = io.Copy(io.Discard, c) }()
		}
	}()
	return l.Addr().(*net.TCPAddr).Port
}

// quiet is a verb that needs a server. In its words HOST is the address of one that says nothing.
type quiet struct {
	name   string
	source string // of the set all, if it is of concern
	verb   []string
	slow   bool // it waits for a minute or more
}

var quietVerbs = []quiet{
	{name: "a bucket is read", verb: []string{"snapshots", "-r", "minio+http://HOST/bucket", "--give-up-after", "300ms"}},
	{name: "a bucket is read with the SDK of AWS", verb: []string{"snapshots", "-r", "s3://bucket", "--give-up-after", "300ms"}},
	{name: "a backup to a bucket", verb: []string{"backup", "data", "-r", "minio+http://HOST/bucket", "--give-up-after", "300ms"}},
	{name: "a repository by SFTP", verb: []string{"snapshots", "-r", "sftp://me@HOST/r", "--give-up-after", "300ms"}},
	{name: "a backup to a repository by SFTP", verb: []string{"backup", "data", "-r", "sftp://me@HOST/r", "--give-up-after", "300ms"}},
	{name: "a copy to a bucket", verb: []string{"copy", "--from", "repository", "-r", "minio+http://HOST/bucket", "--give-up-after", "300ms"}},
	{name: "files by SFTP", source: `{type: files, url: "sftp://me@HOST/d", known_hosts: KNOWN, password_file: PASSWORD}`, verb: []string{"backup", "all"}, slow: true},
	{name: "files by FTP", source: `{type: files, url: "ftp://me@HOST/d", password_file: PASSWORD}`, verb: []string{"backup", "all"}, slow: true},
	{name: "files by FTPS", source: `{type: files, url: "ftps://me@HOST/d", password_file: PASSWORD}`, verb: []string{"backup", "all"}, slow: true},
	{name: "a lake", source: `{type: lake, path: "minio+http://HOST/bucket/lake"}`, verb: []string{"backup", "all"}, slow: true},
	{name: "PostgreSQL", source: `{type: database, url: "postgres://me@HOST/d"}`, verb: []string{"backup", "all"}, slow: true},
	{name: "PostgreSQL that is given a second", source: `{type: database, url: "postgres://me@HOST/d?connect_timeout=1"}`, verb: []string{"backup", "all"}},
	{name: "MariaDB", source: `{type: database, url: "mysql://me@HOST/d"}`, verb: []string{"backup", "all"}, slow: true},
	{name: "Oracle", source: `{type: database, url: "oracle://me@HOST/d"}`, verb: []string{"backup", "all"}, slow: true},
	{name: "SQL Server", source: `{type: database, url: "sqlserver://me@HOST?database=d"}`, verb: []string{"backup", "all"}, slow: true},
	{name: "a restore by SFTP", verb: []string{"restore", "latest", "--to", "sftp://me@HOST/d"}, slow: true},
	{name: "a restore by FTP", verb: []string{"restore", "latest", "--to", "ftp://me@HOST/d"}, slow: true},
	{name: "an import into PostgreSQL", verb: []string{"db", "import", "out.sqlite", "--to", "postgres://me@HOST/d"}, slow: true},
}

// A server that accepts connections and says nothing is waited for no longer than is documented:
// then the verb ends with 8, and names it.
func TestSoakAServerThatSaysNothingIsGivenUp(t *testing.T) {
	home := t.TempDir()
	password, known := filepath.Join(home, "password"), filepath.Join(home, "known_hosts")
	for file, text := range map[string]string{password: "secret\n", known: knownHosts(t), filepath.Join(home, "data", "file"): "content"} {
		mustMkdir(t, filepath.Dir(file))
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	repository := filepath.Join(home, "repository")
	for name, value := range map[string]string{"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "s", "AWS_REGION": "us-east-1"} { // which the SDK reads by itself
		t.Setenv(name, value)
	}
	env := []string{"HOME=" + home, "PACKSTONE_REPOSITORY=" + repository, "AWS_ACCESS_KEY_ID=a", "AWS_SECRET_ACCESS_KEY=s", "AWS_REGION=us-east-1",
		"PACKSTONE_REMOTE_PASSWORD_FILE=" + password, "PACKSTONE_REMOTE_KNOWN_HOSTS=" + known}
	if code, _, stderr := runWith(t, env, "backup", "--init", filepath.Join(home, "data")); code != exitDone {
		t.Fatal(stderr)
	}
	t.Chdir(home)
	exported(&place{t: t, dir: home})
	host := fmt.Sprintf("127.0.0.1:%d", quietServer(t))
	t.Setenv("AWS_ENDPOINT_URL_S3", "http://"+host)
	words := strings.NewReplacer("HOST", host, "KNOWN", known, "PASSWORD", password)
	var all sync.WaitGroup // most of them wait for a minute
	for i, q := range quietVerbs {
		if q.slow && !patient {
			continue
		}
		settings := filepath.Join(home, fmt.Sprintf("settings%d.yaml", i))
		text := words.Replace("version: 1\nsources: {one: " + orElse(q.source, "{type: files, path: /nowhere}") + "}\nsets: {all: {sources: [one]}}\n")
		if err := os.WriteFile(settings, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		all.Go(func() { q.givesUp(t, append(slices.Clone(env), "PACKSTONE_CONFIG="+settings), host, words) })
	}
	all.Wait()
	if code, _, stderr := runWith(t, env, "check", "--read-data"); code != exitDone {
		t.Errorf("check afterwards: %d, %s", code, stderr)
	}
}

// givesUp fails the test unless the verb ends with 8 and names the server.
func (q quiet) givesUp(t *testing.T, env []string, host string, words *strings.Replacer) {
	var args []string
	for _, word := range q.verb {
		args = append(args, words.Replace(word))
	}
	begun := time.Now()
	code, stdout, stderr := runWith(t, env, args...)
	t.Logf("%s: given up after %v: %s", q.name, time.Since(begun).Round(time.Second/10), stderr)
	if code != exitUnreachable || !strings.Contains(stderr, host) {
		t.Errorf("%s: %v ends with %d and says %s%s, want %d and %s", q.name, args, code, stdout, stderr, exitUnreachable, host)
	}
}

func orElse(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

// knownHosts are those of some server: a quiet one never shows its key.
func knownHosts(t *testing.T) string {
	t.Helper()
	return readText(t, sftptest.InProcess(t, sftptest.InProcessOptions{Password: "right"}).Client().KnownHosts[0])
}
