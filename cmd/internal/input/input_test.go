package input

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
)

func TestWhatIsThereIsReadAsItIs(t *testing.T) {
	name := filepath.Join(t.TempDir(), "f")
	text := strings.Repeat("some text\n", 10000)
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := ReadFile(t.Context().Done(), name, 0); err != nil || string(got) != text {
		t.Errorf("got %d bytes, %v, want %d", len(got), err, len(text))
	}
	if got, err := ReadFile(nil, name, int64(len(text))); err != nil || string(got) != text {
		t.Errorf("of just as much as may be: got %d bytes, %v, want %d", len(got), err, len(text))
	}
	if _, err := ReadFile(nil, name, int64(len(text))-1); err == nil || !strings.Contains(err.Error(), name+": it has more than") {
		t.Errorf("of too much: got %v", err)
	}
	if err := iotest.TestReader(Until(nil, strings.NewReader(text)), []byte(text)); err != nil {
		t.Error(err)
	}
}

func TestErrorsAreThoseOfTheFile(t *testing.T) {
	dir := t.TempDir()
	if _, err := ReadFile(nil, filepath.Join(dir, "none"), 0); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want %v", err, fs.ErrNotExist)
	}
	if _, err := ReadFile(nil, dir, 0); err == nil || !strings.Contains(err.Error(), dir) {
		t.Errorf("got %v, want that %s cannot be read", err, dir)
	}
	failure := errors.New("broken")
	if _, err := io.ReadAll(Until(nil, iotest.ErrReader(failure))); !errors.Is(err, failure) {
		t.Errorf("got %v, want %v", err, failure)
	}
}

func TestReadingEndsThoughNobodyWrites(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	silent, writer := io.Pipe()
	defer writer.Close()
	began := make(chan struct{})
	go func() {
		<-began
		cancel()
	}()
	in := Until(ctx.Done(), readerFunc(func(p []byte) (int, error) {
		close(began)
		return silent.Read(p)
	}))
	if _, err := io.ReadAll(in); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
	if _, err := in.Read(make([]byte, 1)); !errors.Is(err, context.Canceled) {
		t.Errorf("a second time: got %v, want %v", err, context.Canceled)
	}
}

type readerFunc func(p []byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }
