package doctor

import (
	"errors"
	"fmt"

	"github.com/packstone/packstone/cmd/internal/output"
)

// FreeSpace examines the file system of a directory of this machine.
func (x *Examination) FreeSpace(dir string) {
	x.Examine("free space", func() (string, error) { return describe(spaceOf(dir)) })
}

// FreeIn is how many bytes are free for this user on the file system of a directory.
func FreeIn(dir string) (uint64, error) {
	free, _, err := spaceOf(dir)
	return free, err
}

// littleSpace is the free share of a file system below which to warn.
const littleSpace = 0.05

// describe says how much room a file system has.
func describe(free, total uint64, err error) (string, error) {
	if errors.Is(err, errors.ErrUnsupported) {
		return "can't be told", nil
	}
	if err != nil {
		return "", fmt.Errorf("look at the free space: %w", err)
	}
	detail := fmt.Sprintf("%s of %s", output.Bytes(int64(free)), output.Bytes(int64(total)))
	if float64(free) < littleSpace*float64(total) {
		return detail, Advise("backups will fail when it is used up")
	}
	return detail, nil
}
