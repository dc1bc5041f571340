package mirror

import (
	"context"
	"fmt"

	"github.com/ncruces/go-sqlite3"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/catalog/tree"
)

// Fill adds every path of a snapshot to the view files, source by source, except those that it has
// already. It returns how many paths it has added. Refresh must have added the snapshot before.
// Memory does not grow with the tree.
func (m *Mirror) Fill(ctx context.Context, s *catalog.Snapshot, load tree.Load) (added uint64, err error) {
	for i := range s.Sources {
		n, err := m.fillSource(ctx, s, &s.Sources[i], load)
		added += n
		if err != nil {
			return added, fmt.Errorf("list the files of %s:%s: %w", s.ID.String()[:8], s.Sources[i].Name, err)
		}
	}
	return added, nil
}

func (m *Mirror) fillSource(ctx context.Context, s *catalog.Snapshot, source *catalog.SourceState, load tree.Load) (added uint64, err error) {
	id, filled := int64(0), true
	err = m.each("SELECT id, filled FROM _source WHERE snapshot = ? AND name = ?", func(row *sqlite3.Stmt) error {
		id, filled = row.ColumnInt64(0), row.ColumnBool(1)
		return nil
	}, s.ID.String(), source.Name)
	if err != nil || filled {
		return 0, err
	}
	err = m.change(ctx, func() error {
		insert, err := m.inserter("_file", 12)
		if err != nil {
			return err
		}
		defer insert.close()
		for node, err := range tree.Open(source.Root, load, tree.OpenOptions{}).All(ctx, "") {
			if err != nil {
				return err
			}
			if err := insert.node(id, node); err != nil {
				return err
			}
			added++
		}
		return m.run("UPDATE _source SET filled = 1 WHERE id = ?", id)
	})
	return added, err
}

func (i inserter) node(source int64, n *tree.Node) error {
	var mtime any
	if ns, fits := n.ModTime.Nanoseconds(); fits && n.HasModTime() {
		mtime = ns
	}
	return i.row(source, n.Path, typeOf(n.Type), n.Size, mtime, int64(n.Mode), int64(n.UID), int64(n.GID), orNull(n.User), orNull(n.Group),
		orNull(n.Target), int64(len(n.Chunks)))
}

// typeOf returns the name of a type for people.
func typeOf(t entry.Type) string {
	switch t {
	case entry.File:
		return "file"
	case entry.Directory:
		return "directory"
	case entry.Symlink:
		return "symlink"
	case entry.Fifo:
		return "fifo"
	case entry.CharDevice:
		return "chardev"
	case entry.BlockDevice:
		return "blockdev"
	case entry.Socket:
		return "socket"
	}
	return "unknown"
}
