package walk_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/pipeline/remote"
	"github.com/packstone/packstone/pipeline/remote/walk"
)

// list makes a tree of width directories and files a level, given depth.
func list(width, depth int, held *atomic.Int64) func(context.Context, string) (walk.Listing, error) {
	return func(_ context.Context, path string) (walk.Listing, error) {
		var l walk.Listing
		level := 0
		if path != "" {
			path += "/"
			for _, c := range path {
				if c == '/' {
					level++
				}
			}
		}
		for i := range width {
			l.Items = append(l.Items, walk.Item{Entry: &entry.Entry{Path: fmt.Sprintf("%sf%d", path, (i*7)%width), Type: entry.File}})
			if level < depth {
				l.Items = append(l.Items, walk.Item{Entry: &entry.Entry{Path: fmt.Sprintf("%sd%d", path, (i*3)%width), Type: entry.Directory}})
			}
		}
		held.Add(int64(len(l.Items)))
		return l, nil
	}
}

func TestTheWalkIsInOrderAndNotFarAhead(t *testing.T) {
	for _, parallel := range []int{1, 2, 8} {
		var found, visited atomic.Int64
		last, most := "", int64(0)
		err := walk.Tree(context.Background(), walk.Options{
			Parallel: parallel, Ahead: 200, List: list(10, 3, &found),
			Visit: func(e *entry.Entry) error {
				if last != "" && entry.ComparePaths(last, e.Path) >= 0 {
					t.Errorf("%q is visited after %q", e.Path, last)
				}
				last = e.Path
				most = max(most, found.Load()-visited.Add(1))
				return nil
			},
		})
		if want := int64(20 + 10*20 + 100*20 + 1000*10); err != nil || visited.Load() != want {
			t.Errorf("%d at once: got %d entries, %v, want %d", parallel, visited.Load(), err, want)
		}
		if limit := int64(200 + 20*(parallel+8)); most > limit {
			t.Errorf("%d at once: %d entries were held, want at most %d", parallel, most, limit)
		}
	}
}

func TestADirectoryThatFailsIsAProblemAndTheRootIsTheEnd(t *testing.T) {
	broken := errors.New("broken")
	var found atomic.Int64
	good := list(4, 1, &found)
	failing := func(at string) func(context.Context, string) (walk.Listing, error) {
		return func(ctx context.Context, path string) (walk.Listing, error) {
			if path == at {
				return walk.Listing{}, broken
			}
			return good(ctx, path)
		}
	}
	problems, visited := map[string]error{}, 0
	o := walk.Options{
		List: failing("d1"), Visit: func(*entry.Entry) error { visited++; return nil }, Problem: func(path string, err error) { problems[path] = err },
	}
	if err := walk.Tree(context.Background(), o); err != nil || len(problems) != 1 || !errors.Is(problems["d1"], broken) || visited != 20 {
		t.Errorf("got %v, problems %v, %d entries, want 20 and one problem", err, problems, visited)
	}
	broken = remote.ErrUnreachable
	if err := walk.Tree(context.Background(), o); !errors.Is(err, broken) {
		t.Errorf("a fatal error: got %v", err)
	}
	broken = errors.New("broken")
	o.List = failing("")
	if err := walk.Tree(context.Background(), o); !errors.Is(err, broken) {
		t.Errorf("the root's error: got %v", err)
	}
}

func TestWhatIsListedTwiceIsVisitedOnce(t *testing.T) {
	visited, problems := []string{}, map[string]error{}
	err := walk.Tree(context.Background(), walk.Options{
		List: func(_ context.Context, path string) (l walk.Listing, _ error) {
			for i, name := range []string{"b", "a", "b", "a", "a"} {
				l.Items = append(l.Items, walk.Item{Entry: &entry.Entry{Path: name, Type: entry.File, Size: int64(i)}})
			}
			return l, nil
		},
		Visit:   func(e *entry.Entry) error { visited = append(visited, fmt.Sprint(e.Path, e.Size)); return nil },
		Problem: func(path string, err error) { problems[path] = err },
	})
	if err != nil || fmt.Sprint(visited) != "[a1 b0]" || !errors.Is(problems["a"], walk.ErrTwice) || !errors.Is(problems["b"], walk.ErrTwice) {
		t.Errorf("got %q, %v and the problems %v", visited, err, problems)
	}
}

func TestALoopOfDirectoriesEnds(t *testing.T) {
	var loops []error
	err := walk.Tree(context.Background(), walk.Options{
		List: func(_ context.Context, path string) (walk.Listing, error) {
			return walk.Listing{Items: []walk.Item{{Entry: &entry.Entry{Path: path + "/d", Type: entry.Directory}, Key: "7"}}}, nil
		},
		Visit:   func(*entry.Entry) error { return nil },
		Problem: func(_ string, err error) { loops = append(loops, err) },
	})
	if err != nil || len(loops) != 1 || !errors.Is(loops[0], walk.ErrLoop) {
		t.Errorf("got %v, %v, want one ErrLoop", err, loops)
	}
}

func TestTheRootComesFirstAndMayHaveToHoldSomething(t *testing.T) {
	var paths []string
	var found atomic.Int64
	mine := errors.New("translated")
	o := walk.Options{
		Root: &entry.Entry{Type: entry.Directory}, List: list(1, 0, &found),
		Visit: func(e *entry.Entry) error { paths = append(paths, e.Path); return nil }, Translate: func(error) error { return mine },
	}
	if err := walk.Tree(context.Background(), o); err != nil || len(paths) != 2 || paths[0] != "" {
		t.Errorf("got %q, %v, want the root first", paths, err)
	}
	o.List = list(0, 0, &found)
	if err := walk.Tree(context.Background(), o); err != mine {
		t.Errorf("an empty root: got %v", err)
	}
	paths, o.AllowEmpty = nil, true
	if err := walk.Tree(context.Background(), o); err != nil || len(paths) != 1 {
		t.Errorf("a root that may be empty: got %q, %v", paths, err)
	}
	refused := errors.New("refused")
	o.Visit = func(*entry.Entry) error { return refused }
	if err := walk.Tree(context.Background(), o); err != refused {
		t.Errorf("got %v, want the visitor's error as it is", err)
	}
}
