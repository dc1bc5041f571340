package systemd

import "golang.org/x/sys/unix"

// monotonic is the clock by which the manager tells one reload from another, in microseconds.
func monotonic() (int64, bool) {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &t); err != nil {
		return 0, false
	}
	return t.Nano() / 1000, true
}
