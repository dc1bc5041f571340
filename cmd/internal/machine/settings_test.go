package machine

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestSettingsThatNobodyHasNamedAreToldOf(t *testing.T) {
	dir := t.TempDir()
	system, own := filepath.Join(dir, "etc", "packstone.yaml"), filepath.Join(dir, "packstone", "packstone.yaml")
	write := func(name string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte("version: 1\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	m := New(NewEnv([]string{"HOME=" + dir, "XDG_CONFIG_HOME=" + dir}))
	m.Flags, m.Paths.System = new(Flags), system
	if hint := m.Unchosen(); hint != "" {
		t.Errorf("there are none, and it says %q", hint)
	}
	write(system)
	if hint := m.Unchosen(); !strings.Contains(hint, "add -c "+system) {
		t.Errorf("got %q, want -c %s", hint, system)
	}
	if _, err := m.SettingsPath(); err == nil || !strings.Contains(err.Error(), "add -c "+system) {
		t.Errorf("got %v, want -c %s", err, system)
	}
	if why, err := m.WhyAsk(); err != nil || why == "" {
		t.Errorf("a first backup would make keys: %q, %v", why, err)
	}
	m.Flags.Config = system
	if hint := m.Unchosen(); hint != "" {
		t.Errorf("they are named, and it says %q", hint)
	}
	m.Flags.Config = ""
	write(own)
	if hint := m.Unchosen(); hint != "" {
		t.Errorf("others are in use, and it says %q", hint)
	}
}

func TestSettingsThatCannotBeReadAreToldOf(t *testing.T) {
	loop := filepath.Join(t.TempDir(), "packstone.yaml")
	if err := os.Symlink(loop, loop); err != nil { // nobody can read it, not even root
		t.Fatal(err)
	}
	m := New(NewEnv([]string{"HOME=" + t.TempDir()}))
	m.Flags, m.Paths.System = new(Flags), loop
	if hint := m.Unchosen(); !strings.Contains(hint, "cannot read") || !strings.Contains(hint, "-c "+loop) {
		t.Errorf("got %q, want that it cannot be read", hint)
	}
}
