package database

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/packstone/packstone/catalog/entry"
	db "github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/databasetest"
	"github.com/packstone/packstone/pipeline/database/rows"
	"github.com/packstone/packstone/pipeline/source"
)

// driver gives out a database in memory.
type driver struct {
	source db.Source
	err    error
}

func (d driver) OpenSource(context.Context, db.Location, db.SourceOptions) (db.Source, error) {
	return d.source, d.err
}

func (d driver) OpenTarget(context.Context, db.Location, db.TargetOptions) (db.Target, error) {
	return nil, errors.New("this is no target")
}

// content is a database of tables with one key and one text each.
type content map[string][][2]string

func (c content) source() *databasetest.Source {
	s := &databasetest.Source{Model: &db.Schema{Engine: "test"}, Data: map[string][][]db.Cell{}}
	for name, rows := range c {
		t := &db.Table{Name: name, Columns: []*db.Column{
			{Name: "k", Type: db.Type{Kind: db.Text}}, {Name: "v", Type: db.Type{Kind: db.Text}},
		}, Order: []string{"k"}}
		s.Model.Tables = append(s.Model.Tables, t)
		for _, row := range rows {
			s.Data[name] = append(s.Data[name], []db.Cell{databasetest.Text(row[0]), databasetest.Text(row[1])})
		}
	}
	slices.SortFunc(s.Model.Tables, func(a, b *db.Table) int { return strings.Compare(a.Name, b.Name) })
	return s
}

func table1000(name string) content {
	c := content{}
	for i := range 1000 {
		c[name] = append(c[name], [2]string{fmt.Sprintf("%06d", i), fmt.Sprintf("value %d of %s", i*7919, name)})
	}
	return c
}

// stored is an entry of a tree with its content.
type stored struct {
	entry entry.Entry
	data  []byte
}

// snapshot is a tree.
type snapshot map[string]stored

// visit is an entry on its way into a tree.
type visit struct {
	entry *entry.Entry
	data  []byte
	err   error
}

// taker backs up as the pipeline does: what is unchanged is taken over, the rest read by workers in
// the order of the walk.
type taker struct {
	src      *Source
	last     snapshot
	work     chan *visit
	visits   []*visit
	problems []string
	opened   []string
	mu       sync.Mutex
}

func (k *taker) Visit(e *entry.Entry) error {
	if n := len(k.visits); n > 0 && entry.ComparePaths(k.visits[n-1].entry.Path, e.Path) >= 0 {
		return fmt.Errorf("%s comes after %s", e.Path, k.visits[n-1].entry.Path)
	}
	v := &visit{entry: e}
	k.visits = append(k.visits, v)
	if old, ok := k.last[e.Path]; ok && entry.Unchanged(&old.entry, e) {
		v.data = old.data
		return nil
	}
	if e.Type == entry.File {
		k.work <- v
	}
	return nil
}

func (k *taker) Problem(path string, err error) { k.problems = append(k.problems, err.Error()) }

func (k *taker) read(ctx context.Context, v *visit) error {
	k.mu.Lock()
	k.opened = append(k.opened, v.entry.Path)
	k.mu.Unlock()
	f, err := k.src.Open(ctx, v.entry)
	if err != nil {
		return err
	}
	defer f.Close()
	if v.data, err = io.ReadAll(f); err != nil {
		return err
	}
	if err := f.Finish(v.entry); err != nil {
		return err
	}
	if v.entry.Size != int64(len(v.data)) {
		return fmt.Errorf("%s: its size is %d, %d bytes were read", v.entry.Path, v.entry.Size, len(v.data))
	}
	return nil
}

func (k *taker) run(workers int) (snapshot, error) {
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	var group sync.WaitGroup
	for range workers {
		group.Go(func() {
			for v := range k.work {
				if v.err = k.read(ctx, v); v.err != nil {
					cancel(v.err)
				}
			}
		})
	}
	err := k.src.Walk(ctx, k)
	close(k.work)
	group.Wait()
	for _, v := range k.visits {
		err = errors.Join(err, v.err)
	}
	out := snapshot{}
	for _, v := range k.visits {
		out[v.entry.Path] = stored{*v.entry, v.data}
	}
	return out, errors.Join(err, k.src.Close())
}

func newTaker(t *testing.T, o Options, last snapshot) *taker {
	t.Helper()
	src, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	if last != nil {
		src.Previous(func(_ context.Context, path string) (*entry.Entry, error) {
			if old, ok := last[path]; ok {
				return &old.entry, nil
			}
			return nil, nil
		})
	}
	return &taker{src: src, last: last, work: make(chan *visit, 1000)}
}

// backUp takes a snapshot and compares what comes back from it with the database.
func backUp(t *testing.T, c content, dir string, last snapshot, workers int) (snapshot, *taker) {
	t.Helper()
	k := newTaker(t, Options{Driver: driver{source: c.source()}, StateDir: dir, Jobs: 3}, last)
	out, err := k.run(workers)
	if err != nil {
		t.Fatal(err)
	}
	compare(t, out, c)
	return out, k
}

func compare(t *testing.T, s snapshot, want content) {
	t.Helper()
	files := fstest.MapFS{}
	for path, f := range s {
		if f.entry.Type == entry.File {
			files[path] = &fstest.MapFile{Data: f.data}
		}
	}
	src, err := rows.Open(files, db.SourceOptions{})
	if err != nil {
		t.Fatal(err)
	}
	schema, err := src.Schema(context.Background())
	if err != nil || len(schema.Tables) != len(want) {
		t.Fatalf("the schema has %d tables, %v, want %d", len(schema.Tables), err, len(want))
	}
	for _, model := range schema.Tables {
		var got [][2]string
		err := src.Rows(context.Background(), model, func(b *db.Batch) error {
			defer b.Release()
			cells := make([]db.Cell, 2)
			for i := range b.Len() {
				if err := db.DecodeRow(cells, b.Row(i)); err != nil {
					return err
				}
				got = append(got, [2]string{string(cells[0].Bytes), string(cells[1].Bytes)})
			}
			return nil
		})
		if err != nil || !slices.Equal(got, want[model.Name]) {
			t.Fatalf("table %s: got %d rows, %v, want %d", model.Name, len(got), err, len(want[model.Name]))
		}
	}
}

func TestADatabaseComesBackWhateverTheNumberOfWorkers(t *testing.T) {
	c := content{"empty": nil, "Odd/name.": {{"a", "b"}}, "odd": {{"x", strings.Repeat("long ", 100000)}}, "tables": {{"1", ""}}}
	for i := range 30 {
		c[fmt.Sprintf("t%d", i)] = table1000("x")["x"]
	}
	for _, workers := range []int{1, 2, 8, 64} {
		backUp(t, c, "", nil, workers)
		backUp(t, c, t.TempDir(), nil, workers)
	}
}

func TestWhatHasNotChangedIsTakenOver(t *testing.T) {
	dir, c := t.TempDir(), table1000("orders")
	c["other"] = [][2]string{{"a", "b"}}
	first, _ := backUp(t, c, dir, nil, 2)
	second, k := backUp(t, c, dir, first, 2)
	if len(k.opened) != 0 {
		t.Errorf("%q were read again", k.opened)
	}
	for path := range second {
		if a, b := first[path].entry, second[path].entry; !entry.Unchanged(&a, &b) {
			t.Errorf("%s: %+v became %+v", path, a, b)
		}
	}
}

func TestFewChangesBecomeADelta(t *testing.T) {
	dir, c := t.TempDir(), table1000("orders")
	first, _ := backUp(t, c, dir, nil, 2)
	c["orders"][500][1] = "changed"
	second, k := backUp(t, c, dir, first, 2)
	if want := []string{"tables.json", "tables/orders/1.delta"}; !slices.Equal(sorted(k.opened), want) {
		t.Errorf("%q were read, want %q", k.opened, want)
	}
	if size := len(second["tables/orders/1.delta"].data); size > 200 {
		t.Errorf("the delta of one row has %d bytes", size)
	}
}

// watcher counts what it is shown of tables, of the last reading of each.
type watcher struct {
	mu   sync.Mutex
	seen map[string]int
}

func (w *watcher) Schema(*db.Schema) { w.seen = map[string]int{} }

func (w *watcher) Table(t *db.Table) func(*db.Batch) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen[t.ID()] = 0
	return func(b *db.Batch) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.seen[t.ID()] += b.Len()
	}
}

func TestAnObserverSeesEveryRowWhateverOfItIsStored(t *testing.T) {
	dir, c, w := t.TempDir(), table1000("orders"), &watcher{}
	c["other"] = [][2]string{{"a", "b"}}
	var last snapshot
	for round, change := range []func(){
		func() {}, // all of it
		func() {}, // nothing
		func() { c["orders"][500][1] = "changed" },
		func() { // so much that the table is read twice
			for i := range c["orders"] {
				c["orders"][i][1] += "!"
			}
		},
	} {
		change()
		k := newTaker(t, Options{Driver: driver{source: c.source()}, StateDir: dir, Jobs: 3, Observer: w}, last)
		var err error
		if last, err = k.run(2); err != nil {
			t.Fatal(err)
		}
		if w.seen["orders"] != 1000 || w.seen["other"] != 1 {
			t.Errorf("round %d: it has seen %v", round, w.seen)
		}
	}
}

func sorted(list []string) []string { return slices.Sorted(slices.Values(list)) }

func TestManyChangesBecomeANewBase(t *testing.T) {
	dir, c := t.TempDir(), table1000("orders")
	first, _ := backUp(t, c, dir, nil, 2)
	for i := range c["orders"] {
		c["orders"][i][1] += "!"
	}
	second, _ := backUp(t, c, dir, first, 2)
	if _, ok := second["tables/orders/1.delta"]; ok || bytes.Equal(first["tables/orders/0.base"].data, second["tables/orders/0.base"].data) {
		t.Error("there is no new base")
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*.delta")); len(left) > 0 {
		t.Errorf("%q were left behind", left)
	}
}

func TestAStateThatWasNeverCommittedIsNotBuiltOn(t *testing.T) {
	dir, c := t.TempDir(), table1000("orders")
	first, _ := backUp(t, c, dir, nil, 2)
	c["orders"][1][1] = "in a snapshot that is never committed"
	backUp(t, c, dir, first, 2)
	c["orders"][2][1] = "later"
	third, _ := backUp(t, c, dir, first, 2)
	if len(third["tables/orders/1.delta"].data) == 0 {
		t.Error("the state of the first backup was lost")
	}
	c["orders"][3][1] = "latest"
	backUp(t, c, dir, third, 2)
}

func TestAnyRowOfChangesAndLossesComesBack(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	dir, c := t.TempDir(), table1000("a")
	c["b"] = table1000("b")["b"][:50]
	var last snapshot
	for round := range 60 {
		for name := range c {
			c[name] = edit(random, c[name])
		}
		if round%13 == 12 {
			corrupt(t, random, dir)
		}
		next, _ := backUp(t, c, dir, last, 1+round%3)
		if random.IntN(4) > 0 { // else it is never committed
			last = next
		}
	}
}

// edit changes some rows, at times none and at times most.
func edit(random *rand.Rand, rows [][2]string) [][2]string {
	out := slices.Clone(rows)
	for range random.IntN([]int{1, 4, 20, 2000}[random.IntN(4)]) {
		at := random.IntN(len(out) + 1)
		switch {
		case random.IntN(3) == 0 || len(out) < 10:
			out = slices.Insert(out, at, [2]string{fmt.Sprint(random.Uint32()), "new"})
		case at < len(out) && random.IntN(2) == 0:
			out = slices.Delete(out, at, at+1)
		case at < len(out):
			out[at][1] = fmt.Sprint(random.Uint64())
		}
	}
	return out
}

// corrupt changes a byte of some fingerprints.
func corrupt(t *testing.T, random *rand.Rand, dir string) {
	t.Helper()
	files, _ := filepath.Glob(filepath.Join(dir, "*"+printsEnding))
	shared, _ := filepath.Glob(filepath.Join(dir, "*"+sharedEnding))
	for _, name := range slices.Concat(files, shared) {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if len(data) > 0 {
			data[random.IntN(len(data))]++
		}
		if err := os.WriteFile(name, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestATreeOfAnotherRepositoryIsNotBuiltOn(t *testing.T) {
	dir, c := t.TempDir(), table1000("orders")
	backUp(t, c, dir, nil, 2)
	other, _ := backUp(t, c, t.TempDir(), nil, 2)
	_, k := backUp(t, c, dir, other, 2)
	if !slices.Contains(k.opened, "tables/orders/0.base") {
		t.Errorf("only %q were read", k.opened)
	}
}

func TestWhatCanNoLongerBeTakenOverFailsOnceAndIsReadNextTime(t *testing.T) {
	dir, c := t.TempDir(), table1000("orders")
	first, _ := backUp(t, c, dir, nil, 2)
	k := newTaker(t, Options{Driver: driver{source: c.source()}, StateDir: dir}, first)
	k.last = nil // the lookup has promised what the tree does not hold
	if _, err := k.run(2); !errors.Is(err, source.ErrFailed) {
		t.Fatalf("got %v, want ErrFailed", err)
	}
	_, k = backUp(t, c, dir, first, 2)
	if !slices.Contains(k.opened, "tables/orders/0.base") {
		t.Errorf("only %q were read", k.opened)
	}
}

func TestTwoBackupsAtOnceDoNotShareAState(t *testing.T) {
	dir, c := t.TempDir(), table1000("orders")
	first, _ := backUp(t, c, dir, nil, 2)
	held, err := openStates(dir, "0")
	if err != nil || held == nil {
		t.Fatalf("open the states: %v, %v", held, err)
	}
	defer held.close()
	_, k := backUp(t, c, dir, first, 2)
	if !slices.Contains(k.opened, "tables/orders/0.base") {
		t.Errorf("only %q were read", k.opened)
	}
}

// broken fails in the middle of a table.
type broken struct {
	*databasetest.Source
	err error
}

func (b broken) Rows(ctx context.Context, t *db.Table, send func(*db.Batch) error) error {
	return errors.Join(b.Source.Rows(ctx, t, send), b.err)
}

func TestADatabaseThatFailsFailsTheWholeBackup(t *testing.T) {
	dir, c := t.TempDir(), table1000("orders")
	first, _ := backUp(t, c, dir, nil, 2)
	for _, test := range []struct {
		cause, want error
		last        snapshot
	}{
		{errors.New("the connection was lost"), source.ErrFailed, nil},
		{errors.New("the connection was lost"), source.ErrFailed, first},
		{db.ErrUnreachable, source.ErrUnreachable, nil},
		{db.ErrUnreachable, source.ErrUnreachable, first},
	} {
		k := newTaker(t, Options{Driver: driver{source: broken{c.source(), test.cause}}, StateDir: dir}, test.last)
		if _, err := k.run(1); !errors.Is(err, test.want) || !errors.Is(err, test.cause) {
			t.Errorf("with a last tree of %d: got %v, want %v", len(test.last), err, test.want)
		}
	}
	k := newTaker(t, Options{Driver: driver{err: db.ErrUnreachable}}, nil)
	if _, err := k.run(1); !errors.Is(err, source.ErrUnreachable) {
		t.Errorf("nobody answers: got %v", err)
	}
}

func TestLostObjectsAreProblems(t *testing.T) {
	s := content{"t": nil}.source()
	s.Model.Objects = []*db.Object{
		{ObjectID: db.ObjectID{Kind: "gadget", Name: "g"}, Lost: "no engine has gadgets"},
		{ObjectID: db.ObjectID{Kind: "view", Name: "v"}, DDL: []string{"CREATE VIEW v"}},
	}
	k := newTaker(t, Options{Driver: driver{source: s}}, nil)
	if _, err := k.run(1); err != nil {
		t.Fatal(err)
	}
	if len(k.problems) != 1 || !strings.Contains(k.problems[0], "no engine has gadgets") {
		t.Errorf("got %q", k.problems)
	}
}

func BenchmarkReadTable(b *testing.B) {
	c := content{"t": nil}
	for i := range 100000 {
		c["t"] = append(c["t"], [2]string{fmt.Sprintf("%08d", i), "some text of the usual length, which does not matter"})
	}
	memory := c.source()
	b.ReportAllocs()
	for b.Loop() {
		src, err := New(Options{Driver: driver{source: memory}})
		if err != nil {
			b.Fatal(err)
		}
		k := &taker{src: src, work: make(chan *visit, 100)}
		out, err := k.run(1)
		if err != nil {
			b.Fatal(err)
		}
		b.SetBytes(int64(len(out["tables/t/0.base"].data)))
	}
}
