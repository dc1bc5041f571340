package program

import (
	"errors"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// ioClasses are the classes of ionice(1) as values for ioprio_set(2), with the lowest useful
// priority of each.
var ioClasses = map[string]uintptr{"idle": 3 << 13, "best-effort": 2<<13 | 7}

// Yield lowers the priority of the process. nice is that of nice(1), 0 leaves it unchanged; ionice
// is idle or best-effort, "" leaves it unchanged. Programs started later inherit both. Yield never
// raises the priority.
func Yield(nice int, ionice string) error {
	if nice == 0 && ionice == "" {
		return nil
	}
	done := map[int]bool{}
	for { // both are of threads, and a thread may be made meanwhile by one that is not done yet
		threads, err := os.ReadDir("/proc/self/task")
		if err != nil {
			return fmt.Errorf("yield to other programs: %w", err)
		}
		more := false
		for _, entry := range threads {
			id, err := strconv.Atoi(entry.Name())
			if err != nil || done[id] {
				continue
			}
			more, done[id] = true, true
			if err := yieldThread(id, nice, ioClasses[ionice]); err != nil && !errors.Is(err, unix.ESRCH) {
				return fmt.Errorf("yield to other programs: %w", err)
			}
		}
		if !more {
			return nil
		}
	}
}

func yieldThread(id, nice int, io uintptr) error {
	if now, err := unix.Getpriority(unix.PRIO_PROCESS, id); err == nil && 20-now < nice { // the system call gives 20 less the value
		if err := unix.Setpriority(unix.PRIO_PROCESS, id, nice); err != nil {
			return err
		}
	}
	if io == 0 {
		return nil
	}
	const ofProcess = 1
	if _, _, errno := unix.Syscall(unix.SYS_IOPRIO_SET, ofProcess, uintptr(id), io); errno != 0 {
		return errno
	}
	return nil
}
