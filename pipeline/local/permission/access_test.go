package permission

import (
	"context"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// nobody is in two groups.
var nobody = User{Name: "nobody", UID: 65534, GID: 65534, Groups: []uint32{65534, 4242}}

func TestWhatAUserLacksIsListed(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("gives files away, as root may")
	}
	root := t.TempDir()
	for dir := root; len(dir) > len(os.TempDir()); dir = filepath.Dir(dir) {
		must(t, os.Chmod(dir, 0o755))
	}
	for name, mode := range map[string]os.FileMode{"mine": 0o600, "readable": 0o644, "secret": 0o600, "group": 0o660, "fixed": 0o444} {
		must(t, os.WriteFile(filepath.Join(root, name), nil, mode))
		must(t, os.Chmod(filepath.Join(root, name), mode))
	}
	must(t, os.Mkdir(root+"/closed", 0o700))
	must(t, os.WriteFile(root+"/closed/in", nil, 0o666))
	must(t, os.Symlink("/nowhere", root+"/link"))
	must(t, os.Chown(root, 65534, 65534))
	must(t, os.Chown(root+"/mine", 65534, 0))
	must(t, os.Chown(root+"/group", 0, 4242))
	want := []Denied{
		{root + "/closed", []string{Read, Write, Search}}, {root + "/readable", []string{Write}}, {root + "/secret", []string{Read, Write}},
	}
	got, err := Check(context.Background(), []string{root, root + "/missing"}, nobody, Options{})
	must(t, err)
	if !reflect.DeepEqual(got.List, want) || got.Denied != 3 || got.Checked != 7 || got.Asked != askable() {
		t.Errorf("got %+v, want %+v of 7 entries", got, want)
	}
	got, err = Check(context.Background(), []string{root}, nobody, Options{Limit: 1})
	must(t, err)
	if len(got.List) != 1 || got.Denied != 3 {
		t.Errorf("got %d listed of %d, want 1 of 3", len(got.List), got.Denied)
	}
	must(t, os.Chmod(filepath.Dir(root), 0o700))
	got, err = Check(context.Background(), []string{root}, nobody, Options{})
	must(t, err)
	if got.Checked != 1 || got.Denied != 1 {
		t.Errorf("below a closed directory: got %+v, want the root alone", got)
	}
	if os.Geteuid() != 0 {
		t.Error("this process became somebody else")
	}
}

func askable() bool {
	_, stop, asked := asker(nobody)
	stop()
	return asked
}

func TestReckoningAgreesWithTheKernel(t *testing.T) {
	ask, stop, asked := asker(nobody)
	defer stop()
	if !asked {
		t.Skip("needs root on Linux, who can become another user")
	}
	root := t.TempDir()
	for dir := root; len(dir) > len(os.TempDir()); dir = filepath.Dir(dir) {
		must(t, os.Chmod(dir, 0o755))
	}
	file := root + "/f"
	must(t, os.WriteFile(file, nil, 0o600))
	denied := 0
	for mode := range os.FileMode(0o1000) {
		for _, owner := range [][2]int{{0, 0}, {65534, 0}, {0, 65534}, {0, 4242}, {65534, 4242}} {
			_ = unix.Removexattr(file, aclAttribute)
			must(t, os.Chown(file, owner[0], owner[1]))
			if mode%3 == 1 {
				setACL(t, file, mode)
			}
			must(t, os.Chmod(file, mode))
			for _, permission := range []uint32{unix.R_OK, unix.W_OK, unix.X_OK} {
				want, err := ask(file, permission)
				must(t, err)
				got, err := newReckoner(nobody).may(file, permission)
				must(t, err)
				if got != want {
					t.Fatalf("mode %o of %v, permission %d, ACL %v: reckoned %v, the kernel says %v", mode, owner, permission, readACL(file), got, want)
				}
				if !want {
					denied++
				}
			}
		}
	}
	if denied == 0 {
		t.Error("nothing was denied")
	}
}

// setACL gives nobody and a group other permissions than mode says, below a mask.
func setACL(t *testing.T, file string, mode os.FileMode) {
	t.Helper()
	bits := func(shift int) byte { return byte(mode >> shift & 7) }
	raw := []byte{2, 0, 0, 0}
	add := func(tag, permissions byte, id uint32) {
		raw = append(raw, tag, 0, permissions, 0, byte(id), byte(id>>8), byte(id>>16), byte(id>>24))
	}
	const none = 1<<32 - 1
	add(aclOwner, bits(6), none)
	if mode%2 == 0 {
		add(aclUser, bits(2), 65534)
	}
	add(aclGroup, bits(3), none)
	add(aclNamedGroup, bits(4), 4242)
	add(aclMask, bits(1), none)
	add(aclOther, bits(0), none)
	if err := unix.Setxattr(file, aclAttribute, raw, 0); err != nil {
		t.Skipf("no ACLs here: %v", err)
	}
}

func TestUsersAreFoundByNameAndNumber(t *testing.T) {
	root, err := Lookup("root")
	must(t, err)
	if root.UID != 0 || len(root.Groups) == 0 {
		t.Errorf("root: got %+v", root)
	}
	for name, want := range map[string]User{
		"0": {UID: 0}, "4000000": {UID: 4000000, GID: 4000000}, "4000000:12": {UID: 4000000, GID: 12},
	} {
		if got, err := Lookup(name); err != nil || got.UID != want.UID || got.GID != want.GID {
			t.Errorf("%s: got %+v, %v", name, got, err)
		}
	}
	for _, name := range []string{"", "no such user", "-1", "4294967295", "5:x"} {
		if got, err := Lookup(name); err == nil {
			t.Errorf("%q: got %+v, want an error", name, got)
		}
	}
}

func FuzzACLsOfAnyBytesAreReadOrRefused(f *testing.F) {
	f.Add([]byte{2, 0, 0, 0}, uint32(1))
	f.Add([]byte(strings.Repeat("\x02\x00\x00\x00\x04\x00\x07\x00", 3)), uint32(2))
	f.Fuzz(func(t *testing.T, raw []byte, permission uint32) {
		list := parseACL(raw)
		if list != nil && len(list)*8+4 != len(raw) {
			t.Errorf("%x: got %d entries", raw, len(list))
		}
		list.grants(&nobody, 0, 0, permission, 0)
	})
}
