package catalog

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"

	"github.com/packstone/packstone/archive/disk"
)

// laneLock is held by the process of this host that writes to a lane. Its file keeps the nonces of
// the last sessions that were opened there: only after a session was put is it known whether it
// exists. Without a cache directory it locks nothing; then only the sessions in the store keep runs
// apart.
type laneLock struct {
	mu   sync.Mutex
	file *os.File
	last []string
}

// laneFile returns the file in the cache that locks a lane.
func laneFile(lane Lane) string { return "lanes/" + lane.String() }

// lockLane locks a lane. It returns nil if another process holds the lock. A cache in which
// no lane can be made is as none.
func lockLane(cache *Cache, lane Lane) (*laneLock, error) {
	path := cache.Path(laneFile(lane))
	if path == "" {
		return &laneLock{}, nil
	}
	file, err := openLane(path)
	if isUnwritable(err) && !isThere(path) {
		return &laneLock{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("lock lane %s: %w", lane, err)
	}
	free, err := disk.TryLock(file)
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("lock lane %s: %w", lane, err)
	}
	if !free {
		file.Close()
		return nil, nil
	}
	nonces, err := io.ReadAll(io.LimitReader(file, 4<<10))
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("lock lane %s: %w", lane, err)
	}
	return &laneLock{file: file, last: strings.Fields(string(nonces))}, nil
}

func openLane(path string) (*os.File, error) {
	if err := disk.MakeDirectory(filepath.Dir(path)); err != nil {
		return nil, err
	}
	return os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
}

func isThere(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// isUnwritable reports whether err says that nothing can be made in a directory, by this user or by
// anyone.
func isUnwritable(err error) bool {
	for _, errno := range []error{syscall.EROFS, syscall.ENOSPC, syscall.EDQUOT, syscall.ENOTDIR, fs.ErrPermission} {
		if errors.Is(err, errno) {
			return true
		}
	}
	return false
}

// keptNonces is the largest number of nonces in a lane's file.
const keptNonces = 8

// knows reports whether keep has recently stored a nonce, in this process or an earlier one.
func (l *laneLock) knows(nonce string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Contains(l.last, nonce)
}

// keep stores a session's nonce in the file before the session is opened. It is on the disk then: a
// host that has lost its power recognizes the session as its own, and ends it.
func (l *laneLock) keep(nonce string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	isNew := len(l.last) == 0
	l.last = append([]string{nonce}, l.last[:min(len(l.last), keptNonces-1)]...)
	if err := l.write(); err != nil || l.file == nil {
		return err
	}
	err := l.file.Sync()
	if err == nil && isNew {
		err = disk.SyncDirectory(filepath.Dir(l.file.Name()))
	}
	if err != nil {
		return fmt.Errorf("keep the session's nonce: %w", err)
	}
	return nil
}

// opened records that the session with the last nonce is open, so that no other session of the file
// can be.
func (l *laneLock) opened() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.last) == 1 {
		return nil
	}
	l.last = l.last[:1]
	return l.write()
}

func (l *laneLock) write() error {
	if l.file == nil {
		return nil
	}
	text := strings.Join(l.last, "\n")
	_, err := l.file.WriteAt([]byte(text), 0)
	if err == nil {
		err = l.file.Truncate(int64(len(text)))
	}
	if err != nil {
		return fmt.Errorf("keep the session's nonce: %w", err)
	}
	return nil
}

func (l *laneLock) release() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file != nil {
		l.file.Close()
		l.file = nil
	}
}
