package entry

import "testing"

func TestPermissionsAreThoseOfLs(t *testing.T) {
	for want, e := range map[string]Entry{
		"-rw-r--r--": {Type: File, Mode: 0o644},
		"drwxrwxrwt": {Type: Directory, Mode: 0o1777},
		"-rwsr-xr-x": {Type: File, Mode: 0o4755},
		"-rwSr-Sr-T": {Type: File, Mode: 0o7644},
		"lrwxrwxrwx": {Type: Symlink, Mode: 0o777},
		"prw-------": {Type: Fifo, Mode: 0o600},
		"c---------": {Type: CharDevice},
		"b--x--s--x": {Type: BlockDevice, Mode: 0o2111},
		"srwx------": {Type: Socket, Mode: 0o700},
		"?---------": {Type: 99},
	} {
		if got := e.Permissions(); got != want {
			t.Errorf("type %d mode %o: got %s, want %s", e.Type, e.Mode, got, want)
		}
	}
}
