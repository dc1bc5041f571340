package scratch

import (
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// owner is whom a server runs as.
type owner struct {
	root     bool // we are root, and give up its rights
	uid, gid uint32
	name     string
}

// ownerFor chooses whom a server runs as whose directory is below parent: as ourselves, but if we
// are root as the one whom the parent belongs to, as the user that the engine's packages make, or
// as nobody.
func ownerFor(parent, usual string) (*owner, error) {
	if os.Geteuid() != 0 {
		return &owner{}, nil
	}
	info, err := os.Stat(parent)
	if err != nil {
		return nil, err
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok && st.Uid != 0 {
		return &owner{root: true, uid: st.Uid, gid: st.Gid, name: fmt.Sprint(st.Uid)}, nil
	}
	for _, name := range []string{usual, "nobody"} {
		if found, err := user.Lookup(name); err == nil {
			uid, _ := strconv.ParseUint(found.Uid, 10, 32)
			gid, _ := strconv.ParseUint(found.Gid, 10, 32)
			return &owner{root: true, uid: uint32(uid), gid: uint32(gid), name: name}, nil
		}
	}
	return nil, fmt.Errorf("a server does not run as root, and there is neither a user %s nor nobody: make %s belong to one", usual, parent)
}

// own gives the owner what we have made.
func (o *owner) own(path string) error {
	if !o.root {
		return nil
	}
	return os.Chown(path, int(o.uid), int(o.gid))
}

// reaches makes sure that the owner gets to a directory: others must be let through all that are
// above it.
func (o *owner) reaches(dir string) error {
	for at := filepath.Dir(dir); o.root; at = filepath.Dir(at) {
		info, err := os.Stat(at)
		if err != nil {
			return err
		}
		st, ok := info.Sys().(*syscall.Stat_t)
		if ok && st.Uid != o.uid && info.Mode()&0o001 == 0 {
			return fmt.Errorf("the user %s, as whom the server runs, is not let into %s: name another directory, or run chmod o+x there", o.name, at)
		}
		if at == filepath.Dir(at) {
			break
		}
	}
	return nil
}

// command is a program in a process group of its own, with the rights of the owner and without our
// environment.
func (o *owner) command(args []string) *exec.Cmd {
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir = "/"
	cmd.Env = []string{"PATH=/usr/bin:/bin:/usr/sbin:/sbin", "HOME=/nonexistent", "LC_ALL=" + locale(), "TZ=UTC"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if o.root {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: o.uid, Gid: o.gid}
	}
	return cmd
}
