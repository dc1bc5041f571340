package browse

import (
	"bytes"
	"context"
	"slices"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/catalog/tree"
)

// Kind is how two snapshots differ at a path, as a letter.
type Kind string

// The kinds of differences.
const (
	Added    Kind = "+"
	Removed  Kind = "-"
	Modified Kind = "M" // the content
	Retyped  Kind = "T" // something else has taken the name
	Touched  Kind = "U" // metadata alone
)

// Diff calls each with every difference between two snapshots of a set, source by source and in
// order. It reports everything in a source that only one snapshot has. It does not read equal parts
// of the trees. The nodes of a change are valid until each returns. Diff fails with
// catalog.ErrMisuse if the snapshots are of two sets.
func (b *Browser) Diff(ctx context.Context, before, after *catalog.Snapshot, each func(source string, kind Kind, c *tree.Change) error) error {
	if before.Set != after.Set {
		return catalog.Misuse("snapshot %s is of set %q and snapshot %s of set %q: they have nothing to compare", before.ShortID(), before.Set,
			after.ShortID(), after.Set)
	}
	d := differ{rekeyed: before.Domain != after.Domain}
	names := append(before.SourceNames(), after.SourceNames()...)
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		old, err := b.TreeOf(before, name)
		if err != nil {
			return err
		}
		now, err := b.TreeOf(after, name)
		if err != nil {
			return err
		}
		for change, err := range tree.Diff(ctx, old, now) {
			if err != nil {
				return err
			}
			if kind := d.kind(&change); kind != "" {
				if err := each(name, kind, &change); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// differ compares nodes.
type differ struct {
	rekeyed bool // chunks of the two snapshots are named with different keys, which makes their names incomparable
}

// kind returns how the nodes at a path differ; "" if only in something irrelevant, such as inode
// numbers.
func (d differ) kind(c *tree.Change) Kind {
	switch {
	case c.Old == nil:
		return Added
	case c.New == nil:
		return Removed
	case c.Old.Type != c.New.Type:
		return Retyped
	case !d.sameContent(c.Old, c.New):
		return Modified
	case !sameMetadata(&c.Old.Entry, &c.New.Entry):
		return Touched
	}
	return ""
}

func (d differ) sameContent(a, b *tree.Node) bool {
	if a.Size != b.Size || a.Target != b.Target || a.NodeDevice != b.NodeDevice {
		return false
	}
	if d.rekeyed {
		return a.ModTime == b.ModTime
	}
	return slices.EqualFunc(a.Chunks, b.Chunks, func(x, y archive.Chunk) bool { return x.ID == y.ID && x.Length == y.Length })
}

func sameMetadata(a, b *entry.Entry) bool {
	return a.Mode == b.Mode && a.UID == b.UID && a.GID == b.GID && a.User == b.User && a.Group == b.Group && a.ModTime == b.ModTime &&
		slices.EqualFunc(a.Xattrs, b.Xattrs, sameAttribute) && slices.EqualFunc(a.Remote, b.Remote, sameAttribute)
}

func sameAttribute(a, b entry.Attribute) bool {
	return a.Name == b.Name && bytes.Equal(a.Value, b.Value)
}
