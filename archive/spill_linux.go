package archive

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// spillFile is a file without a name, mapped into memory.
type spillFile struct {
	kind   spillKind
	file   *os.File
	memory []byte
}

func newSpillFile(kind spillKind) (*spillFile, error) {
	file, err := os.CreateTemp(kind.dir, ".tmp-pack-")
	if err != nil {
		return nil, fmt.Errorf("keep a pack on disk: %w", err)
	}
	err = os.Remove(file.Name())
	if err == nil {
		err = file.Truncate(int64(kind.size))
	}
	f := &spillFile{kind: kind, file: file}
	if err == nil {
		f.memory, err = unix.Mmap(int(file.Fd()), 0, kind.size, unix.PROT_READ, unix.MAP_SHARED)
	}
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("keep a pack on disk: %w", err)
	}
	return f, nil
}

// write writes b to the file and returns the mapped memory that shows it.
func (f *spillFile) write(b []byte) ([]byte, error) {
	if _, err := f.file.WriteAt(b, 0); err != nil {
		return nil, fmt.Errorf("keep a pack on disk: %w", err)
	}
	return f.memory[:len(b):len(b)], nil
}

// shrink drops the mapped pages. The file keeps its content.
func (f *spillFile) shrink() { _ = unix.Madvise(f.memory, unix.MADV_DONTNEED) }

// empty drops the file's blocks too, where the file system can.
func (f *spillFile) empty() {
	f.shrink()
	_ = unix.Fallocate(int(f.file.Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, 0, int64(f.kind.size))
}
