package restore

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"

	"golang.org/x/sync/errgroup"

	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/catalog/tree"
	"github.com/packstone/packstone/pipeline/target"
)

// mayKeep tells whether what is there may be what is to come back: as Overwrite has it, at least by
// what a listing tells.
func (r *restore) mayKeep(e, there *entry.Entry) bool {
	switch {
	case r.o.Overwrite == OverwriteIfChanged && e.Type == entry.File, r.o.Overwrite == OverwriteIfChanged && !r.traits.Near:
		return r.unchanged(there, e)
	case r.o.Overwrite == OverwriteIfNewer, !r.traits.Near:
		return false
	}
	// What is near is read, and gets its metadata set where they differ.
	return alike(there, e) && (e.Type != entry.File || r.fetch.IDs != nil)
}

// alike tells whether two entries are of one kind, length and destination.
func alike(a, b *entry.Entry) bool {
	return a.Type == b.Type && a.Size == b.Size && a.Target == b.Target && a.NodeDevice == b.NodeDevice
}

// unchanged tells whether what is there is what is to come back: by the identities of both where
// servers tell them, else by size and time.
func (r *restore) unchanged(there, e *entry.Entry) bool {
	same := isOf(r.traits, there.ModTime, e.ModTime)
	if there.Identity != "" && e.Identity != "" {
		same = there.Identity == e.Identity
	}
	return same && alike(there, e)
}

// reads tells whether content is read before it is kept.
func (r *restore) reads(e *entry.Entry) bool {
	return e.Type == entry.File && (r.o.Overwrite == OverwriteAlways || r.o.Verify)
}

// fileKey tells a file with several names from others. A tree may give the same numbers to what is of
// another type, owner or content, as file systems do that make numbers up: that is no name of it.
type fileKey struct {
	device, inode  uint64
	kind           entry.Type
	mode, uid, gid uint32
	content        [sha256.Size]byte
}

func keyOf(n *tree.Node) fileKey {
	content := sha256.New()
	for i := range n.Chunks {
		content.Write(n.Chunks[i].ID[:])
		fmt.Fprintln(content, n.Chunks[i].Length)
	}
	fmt.Fprintln(content, n.Target, n.NodeDevice)
	return fileKey{n.Device, n.Inode, n.Type, n.Mode, n.UID, n.GID, [sha256.Size]byte(content.Sum(nil))}
}

// firstName is the first name of something with several.
type firstName struct {
	path  string
	kept  *entry.Entry // as it was there, if that is kept
	names uint32       // so far
}

// isLinked tells whether something has several names by which it can be told.
func isLinked(e *entry.Entry) bool { return e.Type != entry.Directory && e.Links > 1 && e.Inode != 0 }

// nameOf counts a name of something with several, and returns the first that was met; later tells
// that it is another one.
func (r *restore) nameOf(n *tree.Node) (first firstName, later bool) {
	if !isLinked(&n.Entry) {
		return firstName{}, false
	}
	key := keyOf(n)
	first, later = r.first[key]
	if !later {
		first = firstName{path: n.Path}
	}
	if first.names++; first.names >= n.Links {
		delete(r.first, key)
	} else {
		r.first[key] = first
	}
	return first, later
}

// keepName keeps a name of something with several, unless it is not one of the same as the first
// one that came back.
func (r *restore) keepName(ctx context.Context, n *tree.Node, there *entry.Entry) error {
	key := keyOf(n)
	first, later := r.first[key]
	if later && (first.kept == nil || first.kept.Device != there.Device || first.kept.Inode != there.Inode) {
		return r.begin(ctx, n.Clone(), ActionUpdate)
	}
	if r.mustPart(n, there) {
		return r.begin(ctx, n.Clone(), ActionUpdate)
	}
	if !later && r.reads(&n.Entry) && r.verify(ctx, n) != nil { // the other names wait for this one, so it is read at once
		return r.begin(ctx, n.Clone(), ActionUpdate)
	}
	r.nameOf(n)
	if first, known := r.first[key]; known && !later {
		first.kept = there
		r.first[key] = first
	}
	r.tell(&n.Entry, ActionKeep)
	return r.dress(ctx, n, there)
}

// readAtOnce is the number of files that are read together before they are kept.
const readAtOnce = 1 << 10

// keeping is a file that is to be read before it is kept.
type keeping struct {
	node  *tree.Node
	there *entry.Entry
	frame *frame // that it lies in
	place int    // in the plan
}

// keep leaves the content of n as it is there, after a look at it if that is wanted.
func (r *restore) keep(ctx context.Context, n *tree.Node, there *entry.Entry) error {
	switch {
	case isLinked(&n.Entry) && there.Inode != 0:
		return r.keepName(ctx, n, there)
	case r.reads(&n.Entry):
		n = n.Clone()
		r.keeps = append(r.keeps, &keeping{n, there, r.top(), r.tellLater(&n.Entry)})
		return nil
	case r.mustPart(n, there):
		return r.begin(ctx, n.Clone(), ActionUpdate)
	}
	r.tell(&n.Entry, ActionKeep)
	return r.dress(ctx, n, there)
}

// mustPart tells whether what is there has other names than the snapshot knows of, and would get
// other metadata: they are not ours to change, so the file is written anew.
func (r *restore) mustPart(n *tree.Node, there *entry.Entry) bool {
	return there.Links > max(1, n.Links) && !target.Finished(r.target, there, &n.Entry)
}

// settleKeeps reads what is to be kept and brings back what is not as it should be.
func (r *restore) settleKeeps(ctx context.Context) error {
	keeps := r.keeps
	r.keeps = nil
	outcome := make([]error, len(keeps))
	var g errgroup.Group
	g.SetLimit(r.parallel())
	for i, k := range keeps {
		g.Go(func() error {
			outcome[i] = r.verify(ctx, k.node)
			return nil
		})
	}
	_ = g.Wait()
	for i, k := range keeps {
		if err := r.settleKeep(ctx, k, outcome[i]); err != nil {
			return err
		}
	}
	r.tellAll()
	return nil
}

// settleKeep does what a look at the content has shown. What cannot be read is written anew where
// all is to be as in the snapshot.
func (r *restore) settleKeep(ctx context.Context, k *keeping, outcome error) error {
	action := ActionKeep
	if outcome != nil || r.mustPart(k.node, k.there) {
		action = ActionUpdate
	}
	if r.o.Plan != nil {
		r.told[k.place].action = action
	}
	switch {
	case action == ActionKeep:
		return r.dress(ctx, k.node, k.there)
	case fatal(outcome), outcome != nil && !errors.Is(outcome, ErrMismatch) && r.o.Overwrite != OverwriteAlways:
		return r.problem(k.node.Path, outcome)
	}
	return r.start(ctx, k.node, action, k.frame)
}

// dress gives what is kept its metadata. A server is asked only where its listing shows that they
// differ.
func (r *restore) dress(ctx context.Context, n *tree.Node, there *entry.Entry) error {
	if r.o.DryRun || target.Finished(r.target, there, &n.Entry) {
		r.count(ActionKeep, &n.Entry)
		return nil
	}
	if err := r.target.Finish(ctx, &n.Entry); err != nil {
		return r.problem(n.Path, err)
	}
	r.count(ActionKeep, &n.Entry)
	return nil
}

type pendingLink struct {
	node *tree.Node
	to   string
}

// link makes a further name, or a copy where the target has no links.
func (r *restore) link(ctx context.Context, l pendingLink) error {
	err := r.target.Link(ctx, &l.node.Entry, l.to)
	if errors.Is(err, target.ErrUnsupported) && l.node.Type != entry.File {
		return r.make(ctx, l.node, ActionRestore)
	}
	if errors.Is(err, target.ErrUnsupported) {
		r.add(l.node)
		return nil
	}
	if err != nil {
		return r.problem(l.node.Path, err)
	}
	r.count(ActionRestore, &l.node.Entry)
	return nil
}
