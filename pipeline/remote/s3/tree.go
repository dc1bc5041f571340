package s3

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Keys are any text, paths are not. What a path cannot say has a name of its own, which sorts
// behind what the listing has by then:
//
//	a//b          a/~s3-empty/b
//	a/./b a/../b  a/~s3-dot/b a/~s3-dotdot/b
//	a, if there is a/b too         a/~s3-object
//	a/, if it has content          a/~s3-empty
//
// a/ without content is the directory a itself.
const (
	reserved   = "~s3-"
	emptyName  = reserved + "empty"
	dotName    = reserved + "dot"
	dotdotName = reserved + "dotdot"
	objectName = reserved + "object"
)

var (
	oddNames = map[string]string{"": emptyName, ".": dotName, "..": dotdotName}
	oddParts = map[string]string{emptyName: "", dotName: ".", dotdotName: ".."}
)

// Key returns the key, below the bucket's prefix, of the object at a path that Tree has visited or
// could visit.
func (b *Bucket) Key(path string) string {
	parts := strings.Split(path, "/")
	if n := len(parts) - 1; n > 0 && parts[n] == objectName {
		parts = parts[:n]
	}
	for i, part := range parts {
		if odd, ok := oddParts[part]; ok {
			parts[i] = odd
		}
	}
	return b.prefix + strings.Join(parts, "/")
}

// DirectoryKey returns the prefix of the keys in a directory.
func (b *Bucket) DirectoryKey(path string) string {
	if path == "" {
		return b.prefix
	}
	return b.Key(path) + "/"
}

// Node is an entry of a bucket.
type Node struct {
	Path      string
	Directory bool
	// Object is that of a file; for a directory it is the empty object that stands for it, if there
	// is one.
	Object Object
}

// TreeOptions determine what Tree visits.
type TreeOptions struct {
	// Before chooses the versions that were the latest before that moment; zero means the present
	// state.
	Before time.Time
	// Skip reports what to leave out. It may be nil.
	Skip func(path string, directory bool) bool
	// Problem is called with keys that have no path. If it is nil they are left out.
	Problem func(path string, err error)
}

// Tree visits what is below the bucket's prefix, without the root, in the order of
// entry.ComparePaths. It visits a directory before its content, whether or not an object stands for
// it. It holds some ten thousand objects at a time, however many there are. Its error is that of
// visit, or of the listing.
func (b *Bucket) Tree(ctx context.Context, o TreeOptions, visit func(Node) error) error {
	if o.Skip == nil {
		o.Skip = func(string, bool) bool { return false }
	}
	if o.Problem == nil {
		o.Problem = func(string, error) {}
	}
	w := &treeWalk{bucket: b, TreeOptions: o, visit: visit}
	return w.below(ctx, b.prefix, "", nil)
}

type treeWalk struct {
	TreeOptions
	bucket *Bucket
	visit  func(Node) error
}

// below visits the content of one directory. twin is an object whose key is the directory's without
// the slash.
func (w *treeWalk) below(ctx context.Context, prefix, path string, twin *Object) error {
	s := &scan{treeWalk: w, levels: []level{{dir: prefix, path: path}}}
	if twin != nil {
		s.levels[0].put(odd{name: objectName, object: twin})
	}
	if err := w.bucket.ordered(ctx, prefix, w.Before, func(o Object) error { return s.take(ctx, o) }); err != nil {
		return err
	}
	if err := s.settle(ctx); err != nil {
		return err
	}
	return s.closeTo(ctx, 0)
}

// scan is the state of walking through one listing in the tree's order.
type scan struct {
	*treeWalk
	levels  []level // the directories that lead to the current key
	pending *Object // the last one, which is a directory too if the next one lies in it
	skipped string  // what begins so is left out
}

type level struct {
	dir, path string
	odd       []odd // what is in it under another name
}

// odd is an object, or the keys with a prefix, or both, that are visited later under a substitute
// name.
type odd struct {
	name   string
	object *Object
	prefix string
}

func (l *level) put(o odd) {
	i, found := slices.BinarySearchFunc(l.odd, o.name, func(x odd, name string) int { return cmp.Compare(x.name, name) })
	if !found {
		l.odd = slices.Insert(l.odd, i, odd{name: o.name})
	}
	if o.object != nil {
		l.odd[i].object = o.object
	}
	l.odd[i].prefix = cmp.Or(o.prefix, l.odd[i].prefix)
}

func join(dir, name string) string {
	if dir == "" {
		return name
	}
	return dir + "/" + name
}

func (s *scan) top() *level { return &s.levels[len(s.levels)-1] }

// take places one object.
func (s *scan) take(ctx context.Context, o Object) error {
	if s.skipped != "" && strings.HasPrefix(o.Key, s.skipped) {
		return nil
	}
	var twin *Object
	if s.pending != nil && strings.HasPrefix(o.Key, s.pending.Key) && o.Key[len(s.pending.Key)] == '/' {
		twin, s.pending = s.pending, nil
	}
	if err := s.settle(ctx); err != nil {
		return err
	}
	n := len(s.levels)
	for !strings.HasPrefix(o.Key, s.levels[n-1].dir) {
		n--
	}
	if err := s.closeTo(ctx, n); err != nil {
		return err
	}
	return s.descend(ctx, o, twin)
}

// descend enters the directories that lead to an object.
func (s *scan) descend(ctx context.Context, o Object, twin *Object) error {
	for {
		top := s.top()
		name, rest, below := strings.Cut(o.Key[len(top.dir):], "/")
		if !below {
			return s.file(o, name)
		}
		dir := top.dir + name + "/"
		if alias, is := oddNames[name]; is {
			top.put(odd{name: alias, prefix: dir})
			return nil
		}
		path := join(top.path, name)
		if s.refuses(path, name, true) {
			s.skipped, s.pending = dir, twin
			return nil
		}
		if err := s.odds(ctx, name); err != nil {
			return err
		}
		node := Node{Path: path, Directory: true}
		marker := rest == "" && o.Size == 0
		if marker {
			node.Object = o
		}
		if err := s.visit(node); err != nil {
			return err
		}
		s.levels = append(s.levels, level{dir: dir, path: path})
		if twin != nil {
			s.top().put(odd{name: objectName, object: twin})
			twin = nil
		}
		if marker {
			return nil
		}
	}
}

// errReserved and errName say why an object has no path.
var (
	errReserved = fmt.Errorf("names that begin with %s are for keys that are no paths: copy the object to another key, or exclude it", reserved)
	errName     = errors.New("the key holds a zero byte")
)

// refuses reports whether something is left out.
func (s *scan) refuses(path, name string, directory bool) bool {
	switch {
	case s.Skip(path, directory):
		return true
	case strings.HasPrefix(name, reserved):
		s.Problem(path, errReserved)
		return true
	case strings.IndexByte(name, 0) >= 0:
		s.Problem(path, errName)
		return true
	}
	return false
}

// file adds an object to the open directory.
func (s *scan) file(o Object, name string) error {
	top := s.top()
	alias, is := oddNames[name]
	switch {
	case !is:
		s.pending = &o
	case name == "" && o.Size == 0: // the root itself: other directories were opened by it
	default:
		top.put(odd{name: alias, object: &o})
	}
	return nil
}

// settle visits the last file, after it proved not to be a directory.
func (s *scan) settle(ctx context.Context) error {
	if s.pending == nil {
		return nil
	}
	o := s.pending
	s.pending = nil
	name := o.Key[len(s.top().dir):]
	path := join(s.top().path, name)
	if s.refuses(path, name, false) {
		return nil
	}
	if err := s.odds(ctx, name); err != nil {
		return err
	}
	return s.visit(Node{Path: path, Object: *o})
}

// closeTo leaves directories until n are open; 0 at the end.
func (s *scan) closeTo(ctx context.Context, n int) error {
	for len(s.levels) > n {
		if err := s.odds(ctx, ""); err != nil {
			return err
		}
		s.levels = s.levels[:len(s.levels)-1]
	}
	return nil
}

// odds visits what in the open directory has a substitute name that comes before name; everything
// if name is empty.
func (s *scan) odds(ctx context.Context, name string) error {
	top := s.top()
	for len(top.odd) > 0 && (name == "" || top.odd[0].name < name) {
		x := top.odd[0]
		top.odd = top.odd[1:]
		path := join(top.path, x.name)
		if s.Skip(path, x.prefix != "") {
			continue
		}
		if x.prefix == "" {
			if err := s.visit(Node{Path: path, Object: *x.object}); err != nil {
				return err
			}
			continue
		}
		if err := s.visit(Node{Path: path, Directory: true}); err != nil {
			return err
		}
		if err := s.below(ctx, x.prefix, path, x.object); err != nil {
			return err
		}
	}
	return nil
}

// Keys visits the keys of what is below a path, in the server's order, without the path's own key.
func (b *Bucket) Keys(ctx context.Context, path string, visit func(key string) error) error {
	if path == objectName || strings.HasSuffix(path, "/"+objectName) {
		return nil // what lies below its key is beside its path
	}
	for o, err := range b.split(b.DirectoryKey(path), time.Time{}).all(ctx) {
		if err != nil {
			return err
		}
		if err := visit(o.Key); err != nil {
			return err
		}
	}
	return nil
}
