package faulttest

import "golang.org/x/sys/unix"

func detach(point string) error { return unix.Unmount(point, unix.MNT_DETACH) }
