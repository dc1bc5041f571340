package main

import (
	"bytes"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/packstone/packstone/archive/store/s3test"
	"github.com/packstone/packstone/cmd/internal/notice/noticetest"
	"github.com/packstone/packstone/pipeline/local/faulttest"
	"github.com/packstone/packstone/pipeline/remote/sftp/sftptest"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"packstone": main})
}

// TestScripts runs what a user types: testdata/script/*.txtar. Beside testscript's own commands the
// scripts know those of scriptCommands; TESTSCRIPT=pattern runs some of them, UPDATE_SCRIPTS=1
// rewrites what cmp compares with.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:           "testdata/script",
		Setup:         setUpScript,
		Cmds:          scriptCommands,
		Condition:     scriptCondition,
		UpdateScripts: os.Getenv("UPDATE_SCRIPTS") != "",
	})
}

// setUpScript gives a script a home of its own, and the programs that the build put into .bin.
func setUpScript(env *testscript.Env) error {
	home := filepath.Join(env.WorkDir, "home")
	if err := os.MkdirAll(home, 0o700); err != nil {
		return err
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		return err
	}
	env.Setenv("HOME", home)
	env.Setenv("XDG_CONFIG_HOME", filepath.Join(home, "config"))
	env.Setenv("XDG_DATA_HOME", filepath.Join(home, "data"))
	env.Setenv("XDG_CACHE_HOME", filepath.Join(home, "cache"))
	env.Setenv("TZ", "UTC")
	env.Setenv("ROOT", root)
	env.Setenv("PATH", env.Getenv("PATH")+string(filepath.ListSeparator)+filepath.Join(root, ".bin"))
	env.Values[testKey{}] = env.T()
	env.Values[mountKey{}] = new(*faulttest.Mount)
	env.Values[coldKey{}] = new(*s3test.Cold)
	env.Values[hookKey{}], env.Values[sinkKey{}] = new(*noticetest.Webhook), new(*noticetest.SMTP)
	return nil
}

// testKey is where a script's environment keeps its test.
type testKey struct{}

// scriptCommands are what stories need beside the program itself.
var scriptCommands = map[string]func(ts *testscript.TestScript, neg bool, args []string){
	"exits":     exits,
	"damage":    damage,
	"flipbit":   flipBit,
	"sizeof":    sizeOf,
	"random":    random,
	"sametree":  sameTree,
	"onlytools": onlyTools,
	"s3server":  s3Server, "coldserver": coldServer, "cold": cold, "sftpserver": sftpServer,
	"moment": moment, "ruin": ruin, "destroy": destroy,
	"forge": forge, "webhook": webhook, "smtpsink": smtpSink, "phone": phone,
}

// scriptCondition knows [root], [append-only], [python3] and [fuse] beside testscript's own
// conditions.
func scriptCondition(condition string) (bool, error) {
	switch condition {
	case "python3":
		_, err := python3()
		return err == nil, nil
	case "root":
		return os.Geteuid() == 0, nil
	case "fuse":
		_, err := os.Stat("/dev/fuse") // which most containers lack, those of CI among them
		return err == nil && os.Geteuid() == 0, nil
	case "append-only":
		return hasAppendOnly()
	}
	return false, fmt.Errorf("unknown condition %q", condition)
}

// python3 is the path of the interpreter itself, which may be called by a script of another name's.
func python3() (string, error) {
	path, err := exec.Command("python3", "-c", "import sys; print(sys.executable)").Output()
	return strings.TrimSpace(string(path)), err
}

// onlyTools DIR PROGRAM... makes a directory with links to programs, for a PATH that has no others.
func onlyTools(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: onlytools DIR PROGRAM...")
	}
	dir := ts.MkAbs(args[0])
	ts.Check(os.MkdirAll(dir, 0o777))
	for _, name := range args[1:] {
		path, err := python3()
		if name != "python3" {
			path = ""
			for _, in := range filepath.SplitList(ts.Getenv("PATH")) {
				if found, lookErr := exec.LookPath(filepath.Join(in, name)); lookErr == nil && path == "" {
					path, err = found, nil
				}
			}
		}
		ts.Check(err)
		ts.Check(os.Symlink(path, filepath.Join(dir, name)))
	}
}

// hasAppendOnly tells whether this process can make a directory append-only where scripts run.
func hasAppendOnly() (bool, error) {
	dir, err := os.MkdirTemp("", "append-only")
	if err != nil {
		return false, err
	}
	defer os.Remove(dir)
	if exec.Command("chattr", "+a", dir).Run() != nil {
		return false, nil
	}
	return true, exec.Command("chattr", "-a", dir).Run()
}

// exits CODE PROGRAM ARGS... runs a program and compares its exit code. Its output is for stdout
// and stderr as after exec.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM ARGS...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		exit, ok := err.(*exec.ExitError)
		if !ok {
			ts.Fatalf("run %s: %v", args[1], err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("%s ended with %d, want %d", strings.Join(args[1:], " "), got, want)
	}
}

// flipBit FILE [OFFSET] changes one bit, in the middle of the file unless an offset is given; a
// negative one counts from the end.
func flipBit(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 || len(args) > 2 {
		ts.Fatalf("usage: flipbit FILE [OFFSET]")
	}
	name := ts.MkAbs(args[0])
	if len(args) == 1 {
		flip(ts, name, nil)
		return
	}
	offset, err := strconv.Atoi(args[1])
	ts.Check(err)
	flip(ts, name, &offset)
}

// flip changes a bit of the byte at offset, or of the one in the middle.
func flip(ts *testscript.TestScript, name string, offset *int) {
	content, err := os.ReadFile(name)
	ts.Check(err)
	at := len(content) / 2
	if offset != nil {
		at = (*offset + len(content)) % len(content)
	}
	content[at] ^= 1
	ts.Check(os.Chmod(name, 0o600))
	ts.Check(os.WriteFile(name, content, 0o600))
}

// damage DIR changes a bit in the middle of every file below DIR.
func damage(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: damage DIR")
	}
	ts.Check(filepath.WalkDir(ts.MkAbs(args[0]), func(name string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		info, err := e.Info()
		if err == nil && info.Size() > 0 {
			flip(ts, name, nil)
		}
		return err
	}))
}

// sizeOf PATH [at-most N | at-least N] prints how many bytes the files at and below PATH hold, and
// compares.
func sizeOf(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 1 && len(args) != 3 {
		ts.Fatalf("usage: sizeof PATH [at-most|at-least N]")
	}
	total := int64(0)
	ts.Check(filepath.WalkDir(ts.MkAbs(args[0]), func(_ string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		info, err := e.Info()
		if err == nil {
			total += info.Size()
		}
		return err
	}))
	fmt.Fprintln(ts.Stdout(), total)
	if len(args) == 1 {
		return
	}
	limit, err := strconv.ParseInt(args[2], 10, 64)
	ts.Check(err)
	if holds := args[1] == "at-most" && total <= limit || args[1] == "at-least" && total >= limit; holds == neg {
		ts.Fatalf("%s holds %d bytes, want %s %d", args[0], total, args[1], limit)
	}
}

// random FILE BYTES SEED writes a file that does not compress; the same seed gives the same file.
func random(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: random FILE BYTES SEED")
	}
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	seed, err := strconv.ParseUint(args[2], 10, 16)
	ts.Check(err)
	content := make([]byte, n)
	rand.NewChaCha8([32]byte{0: byte(seed), 1: byte(seed >> 8)}).Read(content)
	name := ts.MkAbs(args[0])
	ts.Check(os.MkdirAll(filepath.Dir(name), 0o777))
	ts.Check(os.WriteFile(name, content, 0o666))
}

// sameTree A B compares two directories with rsync, by content, permissions, owners, times, links,
// ACLs and attributes.
func sameTree(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: sametree A B [RSYNC FLAGS]")
	}
	flags := append([]string{"--dry-run", "--recursive", "--checksum", "--delete", "--links", "--perms", "--times", "--group", "--owner",
		"--devices", "--specials", "--hard-links", "--acls", "--xattrs", "--itemize-changes"}, args[2:]...)
	cmd := exec.Command("rsync", append(flags, ts.MkAbs(args[0])+"/", ts.MkAbs(args[1])+"/")...)
	var errors bytes.Buffer
	cmd.Stderr = &errors
	changes, err := cmd.Output()
	if err != nil {
		ts.Fatalf("rsync: %v: %s", err, errors.Bytes())
	}
	if (len(changes) > 0) != neg {
		ts.Fatalf("%s and %s: differences: %v, expected: %v\n%s", args[0], args[1], len(changes) > 0, neg, changes)
	}
}

// s3Server [tls] [versioned|lock] BUCKET... starts an S3 server that ends with the script, makes the
// buckets, with versions or locks if wanted, and sets AWS_* for it, S3_HOST to its address and S3_DIR
// to the directory with its buckets.
func s3Server(ts *testscript.TestScript, neg bool, args []string) {
	t, ok := ts.Value(testKey{}).(testing.TB)
	if neg || !ok {
		ts.Fatalf("usage: s3server [tls] [versioned|lock] BUCKET...")
	}
	secure, versioned, lock := slices.Contains(args, "tls"), slices.Contains(args, "versioned"), slices.Contains(args, "lock")
	server := s3test.Start(t, s3test.Options{TLS: secure})
	for _, bucket := range args {
		if slices.Contains([]string{"tls", "versioned", "lock"}, bucket) {
			continue
		}
		_, err := server.Client().CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &bucket, ObjectLockEnabledForBucket: &lock})
		ts.Check(err)
		if versioned {
			ts.Check(setVersioning(server.Client(), bucket, types.BucketVersioningStatusEnabled))
		}
		if lock {
			server.LockNew(t, bucket)
		}
	}
	ts.Setenv("AWS_ENDPOINT_URL_S3", server.Endpoint)
	ts.Setenv("AWS_REGION", server.Region)
	ts.Setenv("AWS_ACCESS_KEY_ID", server.AccessKey)
	ts.Setenv("AWS_SECRET_ACCESS_KEY", server.SecretKey)
	ts.Setenv("S3_HOST", server.Host)
	ts.Setenv("S3_DIR", server.Dir)
	if secure {
		ts.Setenv("AWS_CA_BUNDLE", server.CAFile)
	}
}

// sftpServer [CONFIG...] starts an SFTP server that ends with the script, with more words of sshd's
// configuration, and sets what one needs to log in, SFTP_URL to the address of a directory there,
// SFTP_DIR to where it lies, and SFTP_HOST.
func sftpServer(ts *testscript.TestScript, neg bool, args []string) {
	t, ok := ts.Value(testKey{}).(testing.TB)
	if neg || !ok {
		ts.Fatalf("usage: sftpserver [CONFIG...]")
	}
	server := sftptest.Start(t, strings.Join(args, " "))
	login := server.Client()
	host := fmt.Sprintf("%s@127.0.0.1:%d", login.User, server.Port)
	ts.Setenv("PACKSTONE_REMOTE_KEY_FILE", server.KeyFile)
	ts.Setenv("PACKSTONE_REMOTE_KNOWN_HOSTS", server.KnownHosts)
	ts.Setenv("SFTP_HOST", host)
	ts.Setenv("SFTP_URL", "sftp://"+host+server.Disk)
	ts.Setenv("SFTP_DIR", server.Disk)
}
