package target

import (
	"context"
	"fmt"
	"strings"

	"github.com/packstone/packstone/catalog/entry"
)

// Below makes a target for what lies at and below one path of a tree, prefix: that comes back to the root of another target. Directories that
// lead to the path are left alone; what lies elsewhere is refused with ErrPath. An empty prefix is the other target itself.
func Below(prefix string, to Target) Target {
	if prefix == "" {
		return to
	}
	return &below{to, prefix}
}

type below struct {
	to     Target
	prefix string
}

// Traits implements target.Target.
func (b *below) Traits() Traits { return b.to.Traits() }

// leadsThere tells whether path is above the prefix.
func (b *below) leadsThere(path string) bool {
	return path == "" || strings.HasPrefix(b.prefix, path+"/")
}

func (b *below) path(path string) (string, error) {
	if path == b.prefix {
		return "", nil
	}
	if rest, ok := strings.CutPrefix(path, b.prefix+"/"); ok {
		return rest, nil
	}
	return "", fmt.Errorf("path %q: it is not below %q: %w", path, b.prefix, ErrPath)
}

// entry is e as the other target has it.
func (b *below) entry(e *entry.Entry) (*entry.Entry, error) {
	path, err := b.path(e.Path)
	moved := *e
	moved.Path = path
	return &moved, err
}

// Walk implements target.Target.
func (b *below) Walk(ctx context.Context, visit func(e *entry.Entry) error) error {
	return b.to.Walk(ctx, func(e *entry.Entry) error {
		moved := *e // the other target may go on with its own
		moved.Path = b.prefix + "/" + e.Path
		return visit(&moved)
	})
}

// Make implements target.Target.
func (b *below) Make(ctx context.Context, e *entry.Entry) error {
	if b.leadsThere(e.Path) {
		return nil
	}
	moved, err := b.entry(e)
	if err != nil {
		return err
	}
	return b.to.Make(ctx, moved)
}

// Link implements target.Target.
func (b *below) Link(ctx context.Context, e *entry.Entry, existing string) error {
	moved, err := b.entry(e)
	if err != nil {
		return err
	}
	if existing, err = b.path(existing); err != nil {
		return fmt.Errorf("hard link %s: %w", e.Path, ErrUnsupported) // the other name is in another target
	}
	return b.to.Link(ctx, moved, existing)
}

// Create implements target.Target.
func (b *below) Create(ctx context.Context, e *entry.Entry) (File, error) {
	moved, err := b.entry(e)
	if err != nil {
		return nil, err
	}
	return b.to.Create(ctx, moved)
}

// Open implements target.Target.
func (b *below) Open(ctx context.Context, path string) (ReadAtCloser, error) {
	path, err := b.path(path)
	if err != nil {
		return nil, err
	}
	return b.to.Open(ctx, path)
}

// Finish implements target.Target.
func (b *below) Finish(ctx context.Context, e *entry.Entry) error {
	if b.leadsThere(e.Path) {
		return nil
	}
	moved, err := b.entry(e)
	if err != nil {
		return err
	}
	return b.to.Finish(ctx, moved)
}

// Finished implements target.Looker.
func (b *below) Finished(there, e *entry.Entry) bool { return Finished(b.to, there, e) }

// Remove implements target.Target.
func (b *below) Remove(ctx context.Context, path string) error {
	path, err := b.path(path)
	if err != nil {
		return err
	}
	return b.to.Remove(ctx, path)
}

// Close implements target.Target.
func (b *below) Close(ctx context.Context) error { return b.to.Close(ctx) }
