//go:build soak

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/packstone/packstone/pipeline/remote/sftp/sftptest"
)

// TestSoakAGibibyteToAnSFTPRepositoryKilledFiveTimes kills the backup each time that it has
// published what it had uploaded since the last time. Slowly, so that it is not done before.
func TestSoakAGibibyteToAnSFTPRepositoryKilledFiveTimes(t *testing.T) {
	t.Parallel()
	program, err := exec.LookPath("packstone")
	if err != nil {
		t.Fatal(err)
	}
	server := sftptest.Start(t, "")
	home, data := t.TempDir(), t.TempDir()
	const files, size = 128, 8 << 20
	for i := range files {
		content := make([]byte, size)
		rand.NewChaCha8([32]byte{byte(i)}).Read(content)
		if err := os.WriteFile(filepath.Join(data, fmt.Sprint(i)), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	env := append(os.Environ(), "HOME="+home, "XDG_CONFIG_HOME="+home+"/config", "XDG_DATA_HOME="+home+"/data", "XDG_CACHE_HOME="+home+"/cache",
		"PACKSTONE_REMOTE_KEY_FILE="+server.KeyFile, "PACKSTONE_REMOTE_KNOWN_HOSTS="+server.KnownHosts,
		fmt.Sprintf("PACKSTONE_REPOSITORY=sftp://%s@127.0.0.1:%d%s/repository", server.Client().User, server.Port, server.Disk))
	command := func(args ...string) (*exec.Cmd, *bytes.Buffer) {
		cmd, out := exec.Command(program, args...), new(bytes.Buffer)
		cmd.Env, cmd.Stdout, cmd.Stderr = env, out, out
		return cmd, out
	}
	run := func(args ...string) string {
		t.Helper()
		cmd, out := command(args...)
		if err := cmd.Run(); err != nil {
			t.Fatalf("%v: %v\n%s", args, err, out)
		}
		return out.String()
	}
	records := func() int {
		all, _ := filepath.Glob(server.Disk + "/repository/log/*/*")
		return len(all)
	}
	run("init")
	for i := range 5 {
		before := records()
		cmd, out := command("backup", data, "--limit-upload", "15MiB")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		for records() == before {
			select {
			case err := <-ended:
				t.Fatalf("the backup ended before it was killed: %v\n%s", err, out)
			case <-time.After(10 * time.Millisecond):
			}
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		<-ended
		t.Logf("killed %d times: %d MiB are stored", i+1, bytesIn(t, server.Disk+"/repository/packs")>>20)
	}
	lines := strings.Split(strings.TrimSpace(run("backup", data, "--json")), "\n")
	var summary struct {
		DataAdded uint64 `json:"data_added"`
	}
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &summary); err != nil {
		t.Fatal(err)
	}
	t.Logf("the last run added %d of %d MiB", summary.DataAdded>>20, files*size>>20)
	if summary.DataAdded > files*size/2 {
		t.Errorf("the last run added %d bytes: the runs that were killed are forgotten", summary.DataAdded)
	}
	if out := run("check", "--read-data"); !strings.Contains(out, "no problems were found") {
		t.Errorf("check: %s", out)
	}
	run("restore", "latest", "--target", home+"/restored", "--verify")
	if out, err := exec.Command("diff", "-r", data, home+"/restored"+data).CombinedOutput(); err != nil {
		t.Errorf("restored: %v\n%s", err, out)
	}
}
