package sftp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"

	"github.com/pkg/sftp"

	"github.com/packstone/packstone/archive/store"
)

// narrow is the length in bytes up to which a range is read without asking for the object's size
// first.
const narrow = 1 << 20

// Get implements store.Store, in two round trips for short ranges.
func (s *Store) Get(ctx context.Context, name string, offset, length int64, dst []byte) ([]byte, error) {
	if err := check(ctx, name); err != nil {
		return dst, fmt.Errorf("get %q: %w", name, err)
	}
	got := dst
	err := s.do(ctx, "get", s.path(name), func(c *sftp.Client) (err error) {
		if offset >= 0 && length > 0 && length <= narrow {
			got, err = s.readNarrow(ctx, c, name, offset, length, dst)
		} else {
			got, err = s.read(ctx, c, name, offset, length, dst)
		}
		return err
	})
	if err != nil {
		return dst, fmt.Errorf("get %s: %w", name, err)
	}
	return got, nil
}

// readNarrow reads a range up to the end of the object.
func (s *Store) readNarrow(ctx context.Context, c *sftp.Client, name string, offset, length int64, dst []byte) ([]byte, error) {
	file, err := c.Open(s.path(name))
	if err != nil {
		return dst, s.orAbsent(c, name, err)
	}
	defer s.tidy(ctx, func() { _ = file.Close() })
	got := slices.Grow(dst, int(length))[:len(dst)+int(length)]
	n, err := file.ReadAt(got[len(dst):], offset)
	if err == nil || err == io.EOF {
		return got[:len(dst)+n], nil
	}
	return dst, s.orAbsent(c, name, err) // a directory can be opened
}

// orAbsent returns err, or store.ErrNotExist if there can be no object: servers use many error
// codes for a directory, and for a path below a file.
func (s *Store) orAbsent(c *sftp.Client, name string, err error) error {
	if !isAnswer(err) {
		return err
	}
	if info, looked := c.Stat(s.path(name)); looked == nil {
		return unless(!info.Mode().IsRegular(), err)
	}
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		if info, looked := c.Stat(s.path(dir)); looked == nil {
			return unless(!info.IsDir(), err)
		}
	}
	return err
}

func unless(absent bool, err error) error {
	if absent {
		return store.ErrNotExist
	}
	return err
}

// read asks for the size and opens the object at the same time.
func (s *Store) read(ctx context.Context, c *sftp.Client, name string, offset, length int64, dst []byte) ([]byte, error) {
	look := lookAt(c, s.path(name))
	file, err := c.Open(s.path(name))
	info, looked := look()
	if err == nil {
		defer s.tidy(ctx, func() { _ = file.Close() })
	}
	switch {
	case err != nil:
		return dst, s.orAbsent(c, name, err)
	case looked != nil:
		return dst, s.orAbsent(c, name, looked)
	case !info.Mode().IsRegular():
		return dst, store.ErrNotExist
	}
	from, n := store.Clip(offset, length, info.Size())
	if n > store.MaxObject {
		return dst, fmt.Errorf("%d bytes are no object: %w", n, store.ErrInvalid)
	}
	got := slices.Grow(dst, int(n))[:len(dst)+int(n)]
	for at := int64(0); at < n; at += slice {
		if err := ctx.Err(); err != nil {
			return dst, err
		}
		if err := readFull(file, got[len(dst):][at:min(at+slice, n)], from+at); err != nil {
			return dst, err
		}
	}
	return got, nil
}

// lookAt asks for the attributes of a path, and returns a function that waits for the answer.
func lookAt(c *sftp.Client, file string) func() (os.FileInfo, error) {
	var info os.FileInfo
	var err error
	done := make(chan struct{})
	go func() {
		defer close(done)
		info, err = c.Stat(file)
	}()
	return func() (os.FileInfo, error) {
		<-done
		return info, err
	}
}

// readFull fills p from offset on. Objects never change, so reaching the end early is an error like
// any other.
func readFull(file *sftp.File, p []byte, offset int64) error {
	n, err := file.ReadAt(p, offset)
	if n == len(p) {
		return nil
	}
	if errors.Is(err, io.EOF) {
		return fmt.Errorf("%s ends at %d", file.Name(), offset+int64(n))
	}
	return err
}
