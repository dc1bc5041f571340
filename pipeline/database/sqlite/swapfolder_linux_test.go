package sqlite

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestAFolderThatNobodyMayReadHoldsUpNoExchange runs itself again as a user without rights.
func TestAFolderThatNobodyMayReadHoldsUpNoExchange(t *testing.T) {
	const folder = "PACKSTONE_TEST_DIRECTORY"
	if dir := os.Getenv(folder); dir != "" {
		exchangeIn(t, dir)
		return
	}
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	dir := t.TempDir()
	program := filepath.Join(filepath.Dir(dir), "test")
	content, err := os.ReadFile(os.Args[0])
	err = errors.Join(err, os.WriteFile(program, content, 0o755), os.Chmod(filepath.Dir(dir), 0o755), os.Chown(dir, 65534, 65534))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Dir, cmd.Env = dir, []string{folder + "=" + dir, "TMPDIR=" + dir}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS") {
		t.Errorf("as nobody: %v\n%s", err, out)
	}
}

func exchangeIn(t *testing.T, dir string) {
	path := filepath.Join(dir, "app.db")
	fileWith(t, path, "old", "DELETE").Close()
	fileWith(t, filepath.Join(dir, "fresh"), "new", "DELETE").Close()
	if err := os.Chmod(dir, 0o300); err != nil {
		t.Fatal(err)
	}
	if err := swapAt(t, path).Exchange(t.Context(), "aside", "fresh"); err != nil {
		t.Fatal(err)
	}
	if living, kept := tableIn(t, path), tableIn(t, filepath.Join(dir, "aside")); living != "new" || kept != "old" {
		t.Errorf("the living one holds %s, the one that is kept %s", living, kept)
	}
}
