// Package input reads what people hand to the program: standard input, and files that may be pipes.
// Whoever should write there may never do so. An interrupted run must end all the same, so opening
// and reading end when a channel is closed, such as the Done of a context.
package input

import (
	"context"
	"fmt"
	"io"
	"os"
)

// Open opens a file for reading. It fails with context.Canceled when done is closed; so does a Read
// that waits then.
func Open(done <-chan struct{}, name string) (*File, error) {
	type opened struct {
		file *os.File
		err  error
	}
	came := make(chan opened, 1)
	go func() {
		file, err := os.Open(name)
		came <- opened{file, err}
	}()
	select {
	case o := <-came:
		if o.err != nil {
			return nil, o.err
		}
		return &File{Until(done, o.file), o.file}, nil
	case <-done:
		return nil, &os.PathError{Op: "open", Path: name, Err: context.Canceled}
	}
}

// File is an open file.
type File struct {
	io.Reader
	file *os.File
}

// Close closes the file.
func (f *File) Close() error { return f.file.Close() }

// Stat describes the file.
func (f *File) Stat() (os.FileInfo, error) { return f.file.Stat() }

// ReadFile reads a file as os.ReadFile does, until done is closed. It fails if the file has more
// than most bytes, unless that is 0: a device never ends.
func ReadFile(done <-chan struct{}, name string, most int64) ([]byte, error) {
	f, err := Open(done, name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	in := io.Reader(f)
	if most > 0 {
		in = io.LimitReader(f, most+1)
	}
	text, err := io.ReadAll(in)
	if err == nil && most > 0 && int64(len(text)) > most {
		err = fmt.Errorf("it has more than %d bytes", most)
	}
	if err != nil {
		return nil, &os.PathError{Op: "read", Path: name, Err: err}
	}
	return text, nil
}

// Secret is the most bytes of a file that holds a key, a password or an address.
const Secret = 1 << 20

// Until returns a reader whose Read fails with context.Canceled when done is closed. What in gives
// afterwards is lost.
func Until(done <-chan struct{}, in io.Reader) io.Reader { return &until{done: done, in: in} }

type until struct {
	done   <-chan struct{}
	in     io.Reader
	buffer []byte // of Reads, which have one of their own since they may outlive their caller
}

// Read implements io.Reader.
func (u *until) Read(p []byte) (int, error) {
	select {
	case <-u.done:
		return 0, context.Canceled
	default:
	}
	if len(u.buffer) < len(p) {
		u.buffer = make([]byte, len(p))
	}
	type outcome struct {
		n   int
		err error
	}
	came, buffer := make(chan outcome, 1), u.buffer[:len(p)]
	go func() {
		n, err := u.in.Read(buffer)
		came <- outcome{n, err}
	}()
	select {
	case o := <-came:
		return copy(p, buffer[:o.n]), o.err
	case <-u.done:
		return 0, context.Canceled
	}
}
