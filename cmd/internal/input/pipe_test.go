//go:build unix

package input

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

func TestAPipeToWhichNobodyWritesDoesNotHoldAnyoneUp(t *testing.T) {
	name := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(name, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := ReadFile(ctx.Done(), name, 0); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
	writer, err := os.OpenFile(name, os.O_RDWR, 0) // lets go whoever still opens it
	if err != nil {
		t.Fatal(err)
	}
	defer writer.Close()
	if _, err := writer.WriteString("text"); err != nil {
		t.Fatal(err)
	}
	in, err := Open(nil, name)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	p := make([]byte, 10)
	if n, err := in.Read(p); err != nil || string(p[:n]) != "text" {
		t.Errorf("got %q, %v, want what was written", p[:n], err)
	}
}
