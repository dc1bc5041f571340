package main

import (
	"testing"

	"github.com/packstone/packstone/catalog/entry"
)

func TestPermissionsAreThoseOfLs(t *testing.T) {
	for want, e := range map[string]entry.Entry{
		"-rw-r--r--": {Type: entry.File, Mode: 0o644},
		"drwxrwxrwt": {Type: entry.Directory, Mode: 0o1777},
		"-rwsr-xr-x": {Type: entry.File, Mode: 0o4755},
		"-rwSr-Sr-T": {Type: entry.File, Mode: 0o7644},
		"lrwxrwxrwx": {Type: entry.Symlink, Mode: 0o777},
		"prw-------": {Type: entry.Fifo, Mode: 0o600},
		"c---------": {Type: entry.CharDevice},
		"b--x--s--x": {Type: entry.BlockDevice, Mode: 0o2111},
		"srwx------": {Type: entry.Socket, Mode: 0o700},
		"?---------": {Type: 99},
	} {
		if got := permissions(&e); got != want {
			t.Errorf("type %d mode %o: got %s, want %s", e.Type, e.Mode, got, want)
		}
	}
}
