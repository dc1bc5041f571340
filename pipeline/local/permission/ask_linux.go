package permission

import (
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// asker returns how to find out what a user may. As root, a thread takes the user's place: the
// kernel keeps credentials for each thread, so the rest of the program stays what it is, and the
// user need not be able to run this program. Where root may not do that, as in some containers, it
// is reckoned.
func asker(u User) (ask may, stop func(), asked bool) {
	if os.Geteuid() != 0 {
		return newReckoner(u).may, func() {}, false
	}
	a := &asking{questions: make(chan question), become: make(chan error)}
	go a.run(u)
	if err := <-a.become; err != nil {
		return newReckoner(u).may, func() {}, false
	}
	return a.may, func() { close(a.questions) }, true
}

type asking struct {
	questions chan question
	become    chan error
}

type question struct {
	file       string
	permission uint32
	answer     chan error
}

// run never unlocks its thread, so that the thread ends with it.
func (a *asking) run(u User) {
	runtime.LockOSThread()
	if err := become(u); err != nil {
		a.become <- err
		return
	}
	a.become <- nil
	for q := range a.questions {
		q.answer <- unix.Faccessat(unix.AT_FDCWD, q.file, q.permission, 0)
	}
}

// become changes the credentials of this thread alone. Groups go first: afterwards it is not
// permitted.
func become(u User) error {
	groups := u.Groups
	if len(groups) == 0 {
		groups = []uint32{u.GID}
	}
	if _, _, errno := unix.RawSyscall(unix.SYS_SETGROUPS, uintptr(len(groups)), uintptr(unsafe.Pointer(&groups[0])), 0); errno != 0 {
		return os.NewSyscallError("setgroups", errno)
	}
	gid, uid := uintptr(u.GID), uintptr(u.UID)
	if _, _, errno := unix.RawSyscall(unix.SYS_SETRESGID, gid, gid, gid); errno != 0 {
		return os.NewSyscallError("setresgid", errno)
	}
	if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, uid, uid, uid); errno != 0 {
		return os.NewSyscallError("setresuid", errno)
	}
	return nil
}

func (a *asking) may(file string, permission uint32) (bool, error) {
	q := question{file, permission, make(chan error, 1)}
	a.questions <- q
	return outcome(<-q.answer)
}
