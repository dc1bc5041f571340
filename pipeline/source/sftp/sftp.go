// Package sftp is the source of a directory on an SFTP server: times to the second, permissions, owners by number, symbolic links.
// The protocol tells neither of hard links nor of extended attributes nor of the numbers of device nodes. A file that changed shortly before it
// was listed may change again within the same second, so it counts as changed in the next backup too. It has 32 bits for a time: what is of before
// 1970 or after 2106 looks like another time.
package sftp

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"path"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	pkg "github.com/pkg/sftp"

	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/pipeline/remote/sftp"
	"github.com/packstone/packstone/pipeline/remote/walk"
	"github.com/packstone/packstone/pipeline/source"
	"github.com/packstone/packstone/pipeline/source/exclude"
)

// Options say what to back up. The zero value is all that is in the directory in which a login begins.
type Options struct {
	// Path is the root; without a leading slash it is below the directory in which a login begins.
	Path string
	// Exclude are patterns of what to leave out, as exclude.Parse reads them.
	Exclude []string
	// AllowEmpty accepts a root with nothing in it; else that is source.ErrEmpty.
	AllowEmpty bool
	// Fresh is how old a file must be, by the server's clock, to be taken for finished (default: 10 min; it covers
	// a clock that is wrong by as much). Younger ones are looked at a second time after Settle (default: 3 s).
	Fresh, Settle time.Duration
	// Parallel is the number of directories listed at once (default: 8).
	Parallel int
	// Class is how content is cut (default: source.ClassMedium).
	Class source.Class
}

// Source is a directory on a server. It implements source.Source and source.Advising.
type Source struct {
	server  *sftp.Server
	options Options
	exclude *exclude.Patterns
	strange atomic.Int64 // entries whose times may be other ones

	mu   sync.Mutex
	root string // absolute, once it is known
}

var _ source.Advising = (*Source)(nil)

// New returns the source; Close closes server.
func New(server *sftp.Server, options Options) (*Source, error) {
	for name := range strings.SplitSeq(options.Path, "/") {
		if name == ".." {
			return nil, fmt.Errorf("sftp: path %q leads upwards", options.Path)
		}
	}
	options.Fresh = cmp.Or(options.Fresh, 10*time.Minute)
	options.Settle = cmp.Or(options.Settle, 3*time.Second)
	options.Parallel = cmp.Or(options.Parallel, 8)
	options.Class = cmp.Or(options.Class, source.ClassMedium)
	leaveOut, err := exclude.Parse(options.Exclude, exclude.Top(options.Path))
	if err != nil {
		return nil, err
	}
	return &Source{server: server, options: options, exclude: leaveOut}, nil
}

// Excludes implements source.Excluding.
func (s *Source) Excludes() []string { return s.exclude.Lines() }

// Class is medium unless the options say otherwise.
func (s *Source) Class() source.Class { return s.options.Class }

// Close closes the connections. It ends running Opens, which hold nothing that could go on without.
func (s *Source) Close() error { return s.server.Close() }

// file is the absolute path of an entry.
func (s *Source) file(ctx context.Context, below string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.root == "" {
		err := s.server.Do(ctx, "find", cmp.Or(s.options.Path, "."), func(c *sftp.Conn) (err error) {
			s.root, err = c.RealPath(cmp.Or(s.options.Path, "."))
			return err
		})
		if err != nil {
			return "", source.FromRemote(err)
		}
	}
	if below == "" {
		return s.root, nil
	}
	return strings.TrimSuffix(s.root, "/") + "/" + below, nil
}

// Walk lists the tree. It returns an error where the server or the root cannot be listed, and source.ErrEmpty.
func (s *Source) Walk(ctx context.Context, v source.Visitor) error {
	root, err := s.examineRoot(ctx)
	if err != nil {
		return err
	}
	return walk.Tree(ctx, walk.Options{
		Root: root, AllowEmpty: s.options.AllowEmpty, Parallel: s.options.Parallel, List: s.list, Visit: v.Visit, Problem: v.Problem,
		Translate: func(err error) error {
			if errors.Is(err, walk.ErrEmpty) {
				return fmt.Errorf("%s on %s: %w", cmp.Or(s.options.Path, "the directory of the login"), s.server.Host(), source.ErrEmpty)
			}
			return source.FromRemote(err)
		},
	})
}

func (s *Source) examineRoot(ctx context.Context) (*entry.Entry, error) {
	file, err := s.file(ctx, "")
	if err != nil {
		return nil, err
	}
	e := &entry.Entry{}
	err = s.server.Do(ctx, "look at", file, func(c *sftp.Conn) error {
		info, err := c.Stat(file)
		if err != nil {
			return err
		}
		describe(info.Sys().(*pkg.FileStat), e)
		return nil
	})
	if err == nil && e.Type != entry.Directory {
		return nil, fmt.Errorf("%s on %s is no directory", file, s.server.Host())
	}
	return e, source.FromRemote(err)
}

func (s *Source) list(ctx context.Context, dir string) (walk.Listing, error) {
	var l walk.Listing
	file, err := s.file(ctx, dir)
	if err != nil {
		return l, err
	}
	var found []fs.FileInfo
	err = s.server.Do(ctx, "list", file, func(c *sftp.Conn) (err error) {
		found, err = c.ReadDirContext(ctx, file)
		return err
	})
	if err != nil {
		return l, err
	}
	now, excluded := time.Now(), s.exclude.In(dir)
	for _, info := range found {
		s.take(&l, dir, info, excluded, now)
	}
	return l, nil
}

// take adds one thing of a listing.
func (s *Source) take(l *walk.Listing, dir string, info fs.FileInfo, excluded *exclude.Folder, now time.Time) {
	name := info.Name()
	if name == "" || name == "." || name == ".." || strings.ContainsAny(name, "/\x00") {
		l.Problems = append(l.Problems, walk.Problem{Path: dir, Err: fmt.Errorf("the server lists %q, which is no name", name)})
		return
	}
	e := &entry.Entry{Path: path.Join(dir, name)}
	describe(info.Sys().(*pkg.FileStat), e)
	if excluded.Match(name, e.Type == entry.Directory) {
		return
	}
	if e.ModTime.Seconds > math.MaxInt32 {
		s.strange.Add(1)
	}
	switch e.Type {
	case 0:
		l.Problems = append(l.Problems, walk.Problem{Path: e.Path, Err: errors.New("the server does not tell whether it is a file")})
		return
	case entry.CharDevice, entry.BlockDevice:
		l.Problems = append(l.Problems, walk.Problem{Path: e.Path, Err: errors.New("it is a device, and SFTP does not tell which")})
		return
	case entry.File:
		if e.ModTime.Time().Add(time.Second + s.options.Fresh).After(now) {
			e.Identity = freshMark + strconv.FormatInt(now.UnixNano(), 10)
		}
	}
	l.Items = append(l.Items, walk.Item{Entry: e})
}

// freshMark precedes, in the identity of a file that changed lately, the moment at which it was listed: so it is like no other. The identity of
// others is empty; size and time are in the entry.
const freshMark = "seen="

var types = map[uint32]entry.Type{
	0o100000: entry.File, 0o040000: entry.Directory, 0o120000: entry.Symlink, 0o010000: entry.Fifo, 0o020000: entry.CharDevice,
	0o060000: entry.BlockDevice, 0o140000: entry.Socket,
}

func describe(st *pkg.FileStat, e *entry.Entry) {
	e.Type, e.Mode = types[st.Mode&0o170000], st.Mode&0o7777
	e.UID, e.GID = st.UID, st.GID
	e.ModTime = entry.Time{Seconds: int64(st.Mtime)}
	e.Known = entry.KnowsMode | entry.KnowsOwner | entry.KnowsModTime
	if e.Type == entry.File {
		e.Size = int64(min(st.Size, 1<<62))
	}
}

// Advice implements source.Advising: how many times may be other ones than the server says.
func (s *Source) Advice() []string {
	n := s.strange.Load()
	if n == 0 {
		return nil
	}
	return []string{fmt.Sprintf("%s: %d entries have a time of after 2038-01-19: SFTP has 32 bits for a time, so that one of before 1970 looks like that", s.server.Host(), n)}
}

// Detail reads where a link leads.
func (s *Source) Detail(ctx context.Context, e *entry.Entry) error {
	if err := ctx.Err(); err != nil || e.Type != entry.Symlink {
		return err
	}
	file, err := s.file(ctx, e.Path)
	if err != nil {
		return err
	}
	return source.FromRemote(s.server.Do(ctx, "read link", file, func(c *sftp.Conn) (err error) {
		e.Target, err = c.ReadLink(file)
		return err
	}))
}
