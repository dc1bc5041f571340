package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync"
	"time"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/catalog/tree"
	"github.com/packstone/packstone/cmd/internal/output"
	"github.com/packstone/packstone/pipeline/fetch"
)

// browser looks into snapshots, for the verbs that only read.
type browser struct {
	*view
	fetchers map[uint64]*fetch.Fetcher
	pages    recentPages
}

// browse opens the repository to look into its snapshots.
func (a *app) browse(ctx context.Context) (*browser, error) {
	repo, _, err := a.openRepository(ctx, mustRead)
	if err != nil {
		return nil, err
	}
	v, err := a.look(ctx, repo)
	if err != nil {
		return nil, err
	}
	return &browser{view: v, fetchers: map[uint64]*fetch.Fetcher{}}, nil
}

// fetcher gets content of a snapshot.
func (b *browser) fetcher(s *catalog.Snapshot) (*fetch.Fetcher, error) {
	if f := b.fetchers[s.Domain]; f != nil {
		return f, nil
	}
	f, err := b.app.fetcher(b.repo, s.Domain)
	if err != nil {
		return nil, err
	}
	b.fetchers[s.Domain] = f
	return f, nil
}

// tree opens the tree of one source of a snapshot.
func (b *browser) tree(s *catalog.Snapshot, source *catalog.SourceState) (*tree.Tree, error) {
	f, err := b.fetcher(s)
	if err != nil {
		return nil, err
	}
	return tree.Open(source.Root, b.pages.load(f.Pages()), tree.OpenOptions{}), nil
}

// spot is a place that was found: a snapshot, and of it all sources, one, or what lies at or below a path of one.
type spot struct {
	snapshot *catalog.Snapshot
	sources  []*catalog.SourceState
	path     string
}

// find finds the snapshot and sources that text names.
func (b *browser) find(text string) (spot, error) {
	p := parsePlace(text)
	s, err := b.pick(p.snapshot, b.filterFor(p))
	if err != nil {
		return spot{}, err
	}
	sources, path, err := p.in(s)
	return spot{snapshot: s, sources: sources, path: path}, err
}

// in says which sources of a snapshot a place means, and the path below the source.
func (p place) in(s *catalog.Snapshot) (sources []*catalog.SourceState, path string, err error) {
	if p.source == "" {
		for i := range s.Sources {
			sources = append(sources, &s.Sources[i])
		}
		return sources, "", nil
	}
	if source, ok := s.Source(p.source); ok {
		return []*catalog.SourceState{source}, p.path, nil
	}
	if source, ok := s.Source(adHoc); ok {
		return []*catalog.SourceState{source}, strings.Trim(p.source+"/"+p.path, "/"), nil
	}
	return nil, "", exitWith(exitFailed, "snapshot %s has no source %s, only %s", s.ID.String()[:shortID], p.source, strings.Join(sourceNames(s), ", "))
}

func sourceNames(s *catalog.Snapshot) []string {
	names := make([]string, len(s.Sources))
	for i := range s.Sources {
		names[i] = s.Sources[i].Name
	}
	return names
}

// placeName is how a person names a path of a source after the colon.
func placeName(source, path string) output.Name {
	switch {
	case source == adHoc:
		return output.Name("/" + path)
	case path == "":
		return output.Name(source)
	}
	return output.Name(source + "/" + path)
}

// node finds what lies at the spot, in the tree of its only source. A directory of which the tree knows only what is in it comes with a
// path and a type alone.
func (at spot) node(ctx context.Context, t *tree.Tree) (*tree.Node, error) {
	node, err := t.Lookup(ctx, at.path)
	if !errors.Is(err, fs.ErrNotExist) {
		return node, err
	}
	for _, err := range t.List(ctx, at.path) {
		return &tree.Node{Entry: entry.Entry{Path: at.path, Type: entry.Directory}}, err
	}
	if at.path == "" {
		return &tree.Node{Entry: entry.Entry{Type: entry.Directory}}, nil
	}
	return nil, exitWith(exitFailed, "snapshot %s has no %s", at.snapshot.ID.String()[:shortID], placeName(at.sources[0].Name, at.path))
}

// entryRow is an entry in the JSON arrays of ls and find.
type entryRow struct {
	Source      output.Name   `json:"source" doc:"The source; / for what was backed up by its path."`
	Path        output.Name   `json:"path" doc:"The path below the source, without slashes around it."`
	Name        output.Name   `json:"name" doc:"The last part of the path."`
	Type        string        `json:"type" doc:"file, dir, symlink, fifo, chardev, dev (a block device) or socket."`
	Size        int64         `json:"size,omitempty" doc:"Bytes of a file."`
	Mode        uint32        `json:"mode" doc:"Permission bits, setuid, setgid and sticky, as a number."`
	Permissions string        `json:"permissions" doc:"Type and mode as ls -l prints them."`
	UID         uint32        `json:"uid" doc:"The owner's number."`
	GID         uint32        `json:"gid" doc:"The group's number."`
	User        output.Name   `json:"user,omitempty" doc:"The owner's name where it was backed up."`
	Group       output.Name   `json:"group,omitempty" doc:"The group's name where it was backed up."`
	ModTime     output.Moment `json:"mtime" doc:"When the content was changed; a year beyond 9999, or before 0, has a sign."`
	Links       uint32        `json:"links,omitempty" doc:"Hard links of a file that has several."`
	LinkTarget  output.Name   `json:"linktarget,omitempty" doc:"Where a symbolic link points."`
}

func entryRowOf(source string, e *entry.Entry) entryRow {
	row := entryRow{
		Source: output.Name(source), Path: output.Name(e.Path), Name: output.Name(e.Path[strings.LastIndexByte(e.Path, '/')+1:]),
		Type: typeNames[e.Type], Size: e.Size, Mode: e.Mode, Permissions: permissions(e), UID: e.UID, GID: e.GID,
		User: output.Name(e.User), Group: output.Name(e.Group), ModTime: output.Moment(e.ModTime.Time()), LinkTarget: output.Name(e.Target),
	}
	if e.Links > 1 {
		row.Links = e.Links
	}
	return row
}

// long is the row as ls -l prints it.
func (r entryRow) long() string {
	text := fmt.Sprintf("%s %-15s %12d  %s  %s", r.Permissions, owner(r.User, r.UID)+"/"+owner(r.Group, r.GID), r.Size, output.Time(time.Time(r.ModTime)), r.place())
	if r.LinkTarget != "" {
		text += " -> " + r.LinkTarget.String()
	}
	return text
}

func (r entryRow) place() string { return placeName(string(r.Source), string(r.Path)).String() }

func owner(name output.Name, number uint32) string {
	if name != "" {
		return name.String()
	}
	return fmt.Sprint(number)
}

// typeNames are restic's words.
var typeNames = map[entry.Type]string{
	entry.File: "file", entry.Directory: "dir", entry.Symlink: "symlink", entry.Fifo: "fifo",
	entry.CharDevice: "chardev", entry.BlockDevice: "dev", entry.Socket: "socket",
}

var typeLetters = map[entry.Type]byte{
	entry.File: '-', entry.Directory: 'd', entry.Symlink: 'l', entry.Fifo: 'p', entry.CharDevice: 'c', entry.BlockDevice: 'b', entry.Socket: 's',
}

// permissions prints type and mode as ls -l does.
func permissions(e *entry.Entry) string {
	text := []byte("?rwxrwxrwx")
	if letter, ok := typeLetters[e.Type]; ok {
		text[0] = letter
	}
	for i := range 9 {
		if e.Mode&(1<<(8-i)) == 0 {
			text[1+i] = '-'
		}
	}
	for i, special := range []byte("sst") { // set-user-id, set-group-id, sticky: at the x of user, group and others
		if e.Mode&(0o4000>>i) == 0 {
			continue
		}
		at := 3 + 3*i
		if text[at] == '-' {
			special -= 'a' - 'A'
		}
		text[at] = special
	}
	return string(text)
}

// recentPages keeps pages of trees that were loaded not long ago: going from directory to directory, or from one snapshot to the next,
// asks for the same ones again. It is safe for concurrent use; its zero value is empty.
type recentPages struct {
	mu         sync.Mutex
	young, old map[archive.ID][]byte
	size       int // bytes of the young ones
}

// youngPages is how many bytes of pages are young; as many are old at most.
const youngPages = 16 << 20

// load is a tree.Load that asks other only for what is not at hand.
func (r *recentPages) load(other tree.Load) tree.Load {
	return func(ctx context.Context, want []archive.Chunk, each func(i int, page []byte) error) error {
		var rest []archive.Chunk
		var at []int
		for i, c := range want {
			page := r.get(c.ID)
			if page == nil {
				rest, at = append(rest, c), append(at, i)
				continue
			}
			if err := each(i, page); err != nil {
				return err
			}
		}
		if len(rest) == 0 {
			return nil
		}
		return other(ctx, rest, func(i int, page []byte) error {
			r.put(rest[i].ID, page)
			return each(at[i], page)
		})
	}
}

func (r *recentPages) get(id archive.ID) []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	if page := r.young[id]; page != nil {
		return page
	}
	page := r.old[id]
	if page != nil {
		r.add(id, page)
	}
	return page
}

func (r *recentPages) put(id archive.ID, page []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.add(id, append([]byte(nil), page...))
}

// add makes a page young. It needs the lock.
func (r *recentPages) add(id archive.ID, page []byte) {
	if r.young == nil || r.size > youngPages {
		r.young, r.old, r.size = map[archive.ID][]byte{}, r.young, 0
	}
	if _, ok := r.young[id]; !ok {
		r.size += len(page)
	}
	r.young[id] = page
}
