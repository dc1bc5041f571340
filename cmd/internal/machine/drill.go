package machine

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/packstone/packstone/catalog"
)

// roomsOfDrills is where scratch places are made if nobody names a directory: on a disk, and where
// the users of database servers get to.
const roomsOfDrills = "/var/tmp"

// DrillDirectory returns the directory of drills: the named one, else that of the settings, else, if
// both are "", the usual one. Everybody can put something there first: what is not ours is refused.
func DrillDirectory(named, settings string) (string, error) {
	switch {
	case named != "":
		return filepath.Abs(named)
	case settings != "":
		return settings, nil
	}
	dir := filepath.Join(roomsOfDrills, "packstone-drill-"+strconv.Itoa(os.Geteuid()))
	info, err := os.Lstat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return dir, nil
	}
	if err != nil {
		return "", fmt.Errorf("look at the directory of drills: %w", err)
	}
	if st, ok := info.Sys().(*syscall.Stat_t); !info.IsDir() || ok && int(st.Uid) != os.Geteuid() {
		return "", catalog.Refuse("%s is not a directory of this user: move it away, or name another directory with --scratch or drill.directory", dir)
	}
	return dir, nil
}
