package sftp

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"

	"github.com/pkg/sftp"

	"github.com/packstone/packstone/archive/store"
)

// linkTries is how often a link is tried if others keep removing its directory, or if it fails
// without a reason.
const linkTries = 5

// extensions are those that Put needs.
var extensions = []string{"hardlink@openssh.com", "fsync@openssh.com"}

// Put implements store.Store. The content is durable when it returns, the name after Sync.
func (s *Store) Put(ctx context.Context, name string, data []byte, digest store.Digest) error {
	if err := check(ctx, name); err != nil {
		return fmt.Errorf("put %q: %w", name, err)
	}
	if len(data) > store.MaxObject {
		return fmt.Errorf("put %s of %d bytes: %w", name, len(data), store.ErrInvalid)
	}
	if len(data) <= store.CheckedSize && sha256.Sum256(data) != digest {
		return fmt.Errorf("put %s: %w", name, store.ErrCorrupt)
	}
	p := &put{Store: s, name: name, data: data}
	if err := s.do(ctx, "put", s.path(name), func(c *sftp.Client) error { return p.try(ctx, c) }); err != nil {
		return fmt.Errorf("put %s: %w", name, err)
	}
	s.dirty.Mark(path.Dir(name))
	return nil
}

// put is the state of one Put, which may need several sessions.
type put struct {
	*Store
	name string
	data []byte
	temp string // holds data, flushed; empty: not yet
	lost bool   // a session broke when it was asked to link, so the name may be ours
}

// try continues where a broken session has left off.
func (p *put) try(ctx context.Context, c *sftp.Client) error {
	if p.temp == "" {
		temp, file, err := p.write(ctx, c, p.data)
		if err != nil {
			return err
		}
		p.temp = temp
		defer p.tidy(ctx, func() { _ = file.Close() }) // it is flushed
	}
	err := p.publish(c)
	if err != nil && !isAnswer(err) && !errors.Is(err, store.ErrExist) {
		p.lost = true
		return err
	}
	temp := p.temp
	p.tidy(ctx, func() {
		p.clean.Do(func() { p.removeStale(c, temp) })
		_ = c.Remove(temp) // another name of the object, or what is left of a failure
	})
	return err
}

// write writes data to a new file in tmp, and flushes it. After an error no file remains, unless
// the session broke.
func (s *Store) write(ctx context.Context, c *sftp.Client, data []byte) (string, *sftp.File, error) {
	for _, name := range extensions {
		if _, ok := c.HasExtension(name); !ok {
			return "", nil, fmt.Errorf("the server has no %s, so nothing can be stored there safely: %w", name, store.ErrInvalid)
		}
	}
	temp := s.path(path.Join(tempDir, rand.Text()))
	file, err := s.createTemp(c, temp)
	if err != nil {
		return "", nil, err
	}
	if err := fill(ctx, file, data); err != nil {
		s.tidy(ctx, func() {
			_ = file.Close()
			_ = c.Remove(temp)
		})
		return "", nil, unlessFull(c, path.Dir(temp), len(data), err)
	}
	return temp, file, nil
}

func (s *Store) createTemp(c *sftp.Client, temp string) (*sftp.File, error) {
	const flags = os.O_WRONLY | os.O_CREATE | os.O_EXCL
	file, err := c.OpenFile(temp, flags)
	if errors.Is(err, fs.ErrNotExist) {
		if err := s.mkdirAll(c, tempDir); err != nil {
			return nil, err
		}
		file, err = c.OpenFile(temp, flags)
	}
	return file, err
}

func fill(ctx context.Context, file *sftp.File, data []byte) error {
	for from := 0; from < len(data); from += slice {
		if err := ctx.Err(); err != nil {
			return err
		}
		if _, err := file.WriteAt(data[from:min(from+slice, len(data))], int64(from)); err != nil {
			return err
		}
	}
	return file.Sync()
}

// unlessFull returns store.ErrFull if a failure has no other reason and the disk has no room: the
// protocol has no code for that.
func unlessFull(c *sftp.Client, dir string, size int, err error) error {
	if !isFailure(err) {
		return err
	}
	room, statErr := c.StatVFS(dir)
	if statErr == nil && (room.Favail == 0 && room.Files > 0 || room.Bavail*room.Frsize < uint64(size)+1<<20) {
		return fmt.Errorf("%w: %w", store.ErrFull, err)
	}
	return err
}

// isFailure reports whether the server gave no reason. Servers do so if a name exists, a disk is
// full or a call is not supported.
func isFailure(err error) bool {
	var status *sftp.StatusError
	return errors.As(err, &status) && status.FxCode() == sftp.ErrSSHFxFailure
}

// publish links the temporary file to its name, and makes missing directories.
func (p *put) publish(c *sftp.Client) error {
	var err error
	for range linkTries {
		if err = c.Link(p.temp, p.path(p.name)); err == nil {
			return nil
		}
		switch {
		case !isAnswer(err):
			return err
		case errors.Is(err, fs.ErrNotExist):
			if err := p.mkdirAll(c, path.Dir(p.name)); err != nil {
				return err
			}
			continue
		}
		if settled, err := p.settle(c); settled {
			return err
		}
		if !isFailure(err) {
			break
		}
	}
	if err = unlessFull(c, p.path(tempDir), 0, err); errors.Is(err, store.ErrFull) || !isFailure(err) {
		return err
	}
	return fmt.Errorf("the server does not link %s to %s: its file system may have no hard links: %w: %w", p.temp, p.path(p.name), store.ErrInvalid, err)
}

// settle finds out why the server refused to link: an object has the name, or, if an earlier answer
// was lost, our own link has. If nothing has the name, there is another reason.
func (p *put) settle(c *sftp.Client) (settled bool, err error) {
	info, err := c.Lstat(p.path(p.name))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err != nil:
		return true, err
	case !p.lost || info.Size() != int64(len(p.data)):
		return true, store.ErrExist
	}
	file, err := c.Open(p.path(p.name))
	if err != nil {
		return true, err
	}
	defer file.Close()
	there := make([]byte, len(p.data))
	if err := readFull(file, there, 0); err != nil {
		return true, err
	}
	if !bytes.Equal(there, p.data) {
		return true, store.ErrExist
	}
	return true, nil
}

// Overwrite implements store.Overwriter: it renames over the object.
func (s *Store) Overwrite(ctx context.Context, name string, data []byte) error {
	if err := check(ctx, name); err != nil {
		return fmt.Errorf("overwrite %q: %w", name, err)
	}
	err := s.do(ctx, "overwrite", s.path(name), func(c *sftp.Client) error {
		temp, file, err := s.write(ctx, c, data)
		if err != nil {
			return err
		}
		defer file.Close()
		if err = c.PosixRename(temp, s.path(name)); err != nil {
			_ = c.Remove(temp)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("overwrite %s: %w", name, err)
	}
	s.dirty.Mark(path.Dir(name))
	return nil
}

// mkdirAll makes a directory below the store's own directory, and that too if the options allow it.
// Otherwise a store that is missing, such as on a disk that is not mounted, would come back empty.
func (s *Store) mkdirAll(c *sftp.Client, dir string) error {
	if dir == "." && s.options.Create {
		return c.MkdirAll(s.path(dir))
	}
	if dir == "." {
		_, err := c.Stat(s.path(dir))
		return err
	}
	err := s.mkdir(c, dir)
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := s.mkdirAll(c, path.Dir(dir)); err != nil {
		return err
	}
	return s.mkdir(c, dir)
}

// mkdir makes one directory. An existing directory is fine.
func (s *Store) mkdir(c *sftp.Client, dir string) error {
	err := c.Mkdir(s.path(dir))
	if err != nil {
		if info, looked := c.Stat(s.path(dir)); looked == nil && info.IsDir() {
			return nil
		}
		return err
	}
	s.dirty.Made(dir)
	return nil
}

// removeStale removes files in tmp that are much older than ours, left by Puts that were killed. It
// compares their dates with that of ours, since the server's clock dates all of them.
func (s *Store) removeStale(c *sftp.Client, ours string) {
	now, err := c.Lstat(ours)
	if err != nil {
		return
	}
	all, err := c.ReadDir(s.path(tempDir))
	if err != nil {
		return
	}
	for _, left := range all {
		if now.ModTime().Sub(left.ModTime()) > staleAge {
			_ = c.Remove(s.path(path.Join(tempDir, left.Name()))) // another process may do so as well
		}
	}
}
