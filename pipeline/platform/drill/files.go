package drill

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"

	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/catalog/tree"
)

// file changes one byte of a file, and nothing else that can be seen: size and times stay.
func (damage) file(ctx context.Context, d *drill, p *scratchPlace) (string, error) {
	return d.damageOne(ctx, p, func(n *tree.Node) bool { return n.Type == entry.File && n.Size > 0 }, flipByte)
}

// permission changes one bit of a mode.
func (damage) permission(ctx context.Context, d *drill, p *scratchPlace, spared string) (string, error) {
	fits := func(n *tree.Node) bool {
		return (n.Type == entry.File || n.Type == entry.Directory) && n.Path != "" && n.Path != spared
	}
	return d.damageOne(ctx, p, fits, func(root *os.Root, path string) error {
		info, err := root.Lstat(path)
		if err != nil {
			return err
		}
		return root.Chmod(path, info.Mode()^0o004)
	})
}

// mostCandidates is how many paths are drawn: not each can be damaged by whoever is not root.
const mostCandidates = 16

// damageOne damages something that fits, drawn by lot from all that was restored and is sound.
func (d *drill) damageOne(ctx context.Context, p *scratchPlace, fits func(n *tree.Node) bool, change func(root *os.Root, path string) error) (string, error) {
	drawn, err := d.draw(ctx, p, fits)
	if err != nil {
		return "", err
	}
	if len(drawn) == 0 {
		return "", errNothing
	}
	root, err := os.OpenRoot(p.dir)
	if err != nil {
		return "", err
	}
	defer root.Close()
	var failed error
	for _, path := range drawn {
		if failed = change(root, path); failed == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("damage %s: %w", entry.Printable(drawn[len(drawn)-1]), failed)
}

// draw draws paths by lot.
func (d *drill) draw(ctx context.Context, p *scratchPlace, fits func(n *tree.Node) bool) (drawn []string, err error) {
	t, _, err := p.legs.Open(p.source)
	if err != nil {
		return nil, err
	}
	seen := 0
	for n, err := range t.All(ctx, "") {
		if err != nil {
			return nil, err
		}
		if n.IsMark() || p.differing[n.Path] || !fits(n) {
			continue
		}
		seen++
		if len(drawn) < mostCandidates {
			drawn = append(drawn, n.Path)
		} else if at := rand.IntN(seen); at < mostCandidates {
			drawn[at] = n.Path
		}
	}
	rand.Shuffle(len(drawn), func(i, j int) { drawn[i], drawn[j] = drawn[j], drawn[i] })
	return drawn, nil
}

// flipByte changes a byte of a file.
func flipByte(root *os.Root, path string) (err error) {
	before, err := root.Lstat(path)
	if err != nil {
		return err
	}
	if !before.Mode().IsRegular() || before.Size() == 0 {
		return fmt.Errorf("%s: %w", path, fs.ErrInvalid)
	}
	if before.Mode()&0o600 != 0o600 {
		if err := root.Chmod(path, before.Mode()|0o600); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, root.Chmod(path, before.Mode())) }()
	}
	file, err := root.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	var one [1]byte
	at := rand.Int64N(before.Size())
	_, err = file.ReadAt(one[:], at)
	if err == nil {
		one[0] ^= 0xff
		_, err = file.WriteAt(one[:], at)
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return err
	}
	return root.Chtimes(path, before.ModTime(), before.ModTime())
}
