package target

import (
	"context"
	"fmt"
	"strings"

	"github.com/packstone/packstone/catalog/entry"
)

// Below returns a target for what is at and below prefix in a tree, which is restored to the root
// of another target. Directories above prefix are ignored; anything else is refused with ErrPath.
// With an empty prefix it is the other target itself.
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

// leadsThere reports whether path is above the prefix.
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

// entry returns e with its path in the other target.
func (b *below) entry(e *entry.Entry) (*entry.Entry, error) {
	path, err := b.path(e.Path)
	moved := *e
	moved.Path = path
	return &moved, err
}

// Walk implements target.Target.
func (b *below) Walk(ctx context.Context, in Scope, v Visitor) error {
	inside := func(path string) bool { return in.Means(b.prefix + "/" + path) }
	return b.to.Walk(ctx, inside, &moving{v, func(path string) string { return b.prefix + "/" + path }})
}

// moving is a visitor that translates paths.
type moving struct {
	Visitor
	moved func(path string) string
}

// Visit implements Visitor.
func (m *moving) Visit(e *entry.Entry) error {
	e.Path = m.moved(e.Path)
	return m.Visitor.Visit(e)
}

// Remark implements Visitor.
func (m *moving) Remark(path string, what error) { m.Visitor.Remark(m.moved(path), what) }

// Accepts implements target.Target.
func (b *below) Accepts(e *entry.Entry) error {
	if b.leadsThere(e.Path) {
		return nil
	}
	moved, err := b.entry(e)
	if err != nil {
		return err
	}
	return b.to.Accepts(moved)
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
func (b *below) Remove(ctx context.Context, all []*entry.Entry, failed func(e *entry.Entry, err error)) error {
	return removeMoved(ctx, b.to, all, b.entry, failed)
}

// removeMoved removes entries that another target has at other paths.
func removeMoved(ctx context.Context, to Target, all []*entry.Entry, move func(*entry.Entry) (*entry.Entry, error), failed func(*entry.Entry, error)) error {
	moved := make([]*entry.Entry, 0, len(all))
	was := make(map[*entry.Entry]*entry.Entry, len(all))
	for _, e := range all {
		m, err := move(e)
		if err != nil {
			failed(e, err)
			continue
		}
		moved, was[m] = append(moved, m), e
	}
	return to.Remove(ctx, moved, func(m *entry.Entry, err error) { failed(was[m], err) })
}

// Close implements target.Target.
func (b *below) Close(ctx context.Context) error { return b.to.Close(ctx) }
