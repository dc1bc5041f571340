package pipeline_test

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/archive/store/count"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/admin"
	"github.com/packstone/packstone/catalog/retention"
	"github.com/packstone/packstone/catalog/tree"
	"github.com/packstone/packstone/catalog/view"
	"github.com/packstone/packstone/pipeline/backup"
	"github.com/packstone/packstone/pipeline/check"
	"github.com/packstone/packstone/pipeline/collect"
	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/rowdiff"
	"github.com/packstone/packstone/pipeline/database/rows"
	"github.com/packstone/packstone/pipeline/database/sqlite"
	"github.com/packstone/packstone/pipeline/fetch"
	"github.com/packstone/packstone/pipeline/restore"
)

// Long life: a platform is backed up each day for as long as two years, and what a daemon does is
// done beside: retention, prune, checks. Nothing may grow but the data, and these do not.

// life is a repository, and what it has been through.
type life struct {
	*world
	platform *smallPlatform
	state    string // of the source of the database
	copies   string // of databases
	taken    map[archive.Name]state
	roll     int // records from which the log is rolled up; 0: as usual
	days     []lifeDay
}

// lifeDay is what a day has cost, and what there was at its end.
type lifeDay struct {
	daily, unchanged, forget, prune cost // unchanged and prune only once a week
	stored, live                    int64
	objects                         map[string]int // by the first part of their names
	bytes                           map[string]int64
	cache                           folder
	state                           folder
	heap                            uint64 // bytes in use after a collection of garbage
	snapshots                       int
}

// cost is what an operation has cost.
type cost struct {
	done     bool
	requests int64
	sent     int64 // bytes
	cpu      time.Duration
}

// folder is how much is below a directory.
type folder struct {
	files int
	bytes int64
}

// grace is how long what was forgotten stays, as the owner sets it by default.
const lifeGrace = 7 * 24 * time.Hour

func newLife(t testing.TB) *life {
	l := &life{world: newWorld(t), platform: newPlatform(t, t.TempDir()), state: t.TempDir(), copies: t.TempDir(), taken: map[archive.Name]state{}}
	l.change(func(c *catalog.Config) { c.LetForget() })
	return l
}

// live lives for some days.
func (l *life) live(days int) {
	begun := time.Now()
	for n := range days {
		l.day(n)
		time.Sleep(time.Until(begun.Add(time.Duration(n+1) * 24 * time.Hour)))
		if l.t.Failed() {
			l.t.Fatalf("on day %d", n)
		}
	}
}

// day is one of them.
func (l *life) day(n int) {
	if n > 0 {
		l.platform.change()
	}
	now := lifeDay{}
	now.daily = l.measure(l.backsUp)
	if n%7 == 6 {
		now.unchanged = l.measure(l.backsUp)
	}
	time.Sleep(time.Hour)
	now.forget = l.measure(l.forgets)
	if n%7 == 6 {
		now.prune = l.measure(l.prunes)
	}
	if n%7 == 3 {
		l.attest(n)
	}
	if n%91 == 90 {
		l.latestComesBack()
	}
	l.days = append(l.days, l.weigh(now))
}

// measure does something through a way to the store that counts.
func (l *life) measure(do func(s store.Store)) cost {
	counted, before := count.New(l.store), cpuTime()
	do(counted)
	totals := counted.Totals()
	return cost{true, totals.Calls(), totals.Put.Bytes, cpuTime() - before}
}

// cpuTime is what this process has used of the processors.
func cpuTime() time.Duration {
	var used unix.Rusage
	_ = unix.Getrusage(unix.RUSAGE_SELF, &used) // it does not fail for oneself
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

func (l *life) backsUp(s store.Store) {
	o := backup.Options{Set: "platform", Host: "host", Jobs: l.platform.jobs(l.state), Problem: func(path string, err error) { l.t.Errorf("%s: %v", path, err) }}
	made, err := l.backup(s, o)
	if err != nil {
		l.t.Fatalf("backup: %v", err)
	}
	l.taken[made.ID] = l.platform.remember(l.copies)
}

// forgets applies the policy.
func (l *life) forgets(s store.Store) {
	ctx := l.t.Context()
	repo, err := catalog.Open(ctx, s, catalog.Options{Keys: catalog.Keys{Writer: l.writer, Identities: l.identity}, CacheDir: l.cache})
	l.must(err)
	v, err := view.Look(ctx, repo, view.Options{Warn: func(text string) { l.t.Error(text) }})
	l.must(err)
	f, err := admin.NewForgetting(ctx, v, catalog.Filter{}, admin.ForgettingOptions{})
	l.must(err)
	l.must(f.Ruled(retention.Policy{Daily: 7, Weekly: 5, Monthly: 12}))
	gone, err := f.Gone()
	l.must(err)
	if len(gone) == 0 {
		return
	}
	session, err := repo.BeginDeciding(ctx, l.owner)
	l.must(err)
	defer session.Close()
	l.must(session.Forget(ctx, gone))
	for _, id := range gone {
		l.must(os.Remove(l.taken[id].database))
		delete(l.taken, id)
	}
}

func (l *life) must(err error) {
	l.t.Helper()
	if err != nil {
		l.t.Fatal(err)
	}
}

// prunes collects what is dead, and copies what is half dead.
func (l *life) prunes(s store.Store) {
	_, err := l.repack(s, func(o *collect.Options) {
		o.DeadAfter, o.Grace, o.RollAfter, o.Repack = 24*time.Hour, lifeGrace, l.roll, &collect.Repack{Share: 0.05}
	})
	if err != nil {
		l.t.Fatalf("prune: %v", err)
	}
}

// attest reads a quarter of the packs.
func (l *life) attest(n int) {
	report := l.mustAttest(check.Options{Percent: 25, Seed: uint64(n)})
	for _, f := range report.Findings {
		l.t.Errorf("check: %s: %v", f.Object, f.Err)
	}
}

// weigh adds to a day what there is at its end.
func (l *life) weigh(now lifeDay) lifeDay {
	now.objects, now.bytes = map[string]int{}, map[string]int64{}
	for info, err := range l.store.List(l.t.Context(), "", "") {
		l.must(err)
		kind, _, _ := strings.Cut(info.Name, "/")
		now.objects[kind]++
		now.bytes[kind] += info.Size
	}
	now.stored = l.stored()
	if now.prune.done {
		plan, err := collect.PlanThinning(l.t.Context(), l.reader(), catalog.Term{Now: time.Now(), Grace: lifeGrace}, 0, 0, nil)
		l.must(err)
		now.live = now.stored - plan.Left - plan.Unused
	}
	now.cache, now.state, now.snapshots = l.folder(l.cache), l.folder(l.state), len(l.taken)
	runtime.GC()
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	now.heap = memory.HeapAlloc - uint64(now.total())
	return now
}

// history is the size of what roll-ups keep of what has happened.
func (d *lifeDay) history() int64 { return d.bytes["history"] + d.bytes["roll"] }

// total is the size of all objects.
func (d *lifeDay) total() (n int64) {
	for _, bytes := range d.bytes {
		n += bytes
	}
	return n
}

func (l *life) folder(dir string) (f folder) {
	l.must(filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		info, err := e.Info()
		if err == nil {
			f.files, f.bytes = f.files+1, f.bytes+info.Size()
		}
		return err
	}))
	return f
}

// latestComesBack restores the last snapshot.
func (l *life) latestComesBack() {
	all := l.snapshots()
	l.comesBack(all[len(all)-1])
}

// allComeBack restores what retention has left, which is what was remembered.
func (l *life) allComeBack() {
	all := l.snapshots()
	if len(all) != len(l.taken) {
		l.t.Errorf("%d snapshots are there, want %d", len(all), len(l.taken))
	}
	for _, s := range all {
		l.comesBack(s)
	}
}

// comesBack restores a snapshot and compares.
func (l *life) comesBack(s *catalog.Snapshot) {
	l.t.Helper()
	want, known := l.taken[s.ID]
	if !known {
		l.t.Errorf("snapshot %s of %s was forgotten or never taken", s.ID, s.Time)
		return
	}
	got := map[string][sha256.Size]byte{}
	for i := range s.Sources {
		name := s.Sources[i].Name
		if s.Sources[i].IsDatabase() {
			l.sameRows(s, i, want.database)
			continue
		}
		to := newTarget()
		_, err := l.restoreTo(to, s, i, restore.Options{Problem: func(path string, err error) { l.t.Errorf("restore of %s: %v", path, err) }})
		l.must(err)
		for path, f := range to.files {
			got[name+":"+path] = sha256.Sum256(f.content)
		}
	}
	if !maps.Equal(got, want.sums) {
		l.t.Errorf("snapshot %s of %s: %d files came back that are not the %d there were", s.ID, s.Time, len(got), len(want.sums))
	}
}

// sameRows compares the rows of a database in a snapshot with those of a file.
func (l *life) sameRows(s *catalog.Snapshot, i int, file string) {
	ctx := l.t.Context()
	fetcher, err := fetch.New(l.reader(), s.Domain, fetch.Options{})
	l.must(err)
	t := tree.Open(s.Sources[i].Root, fetcher.Pages(), tree.OpenOptions{})
	stored, err := rows.Open(fetcher.Files(ctx, t), database.SourceOptions{})
	l.must(err)
	at, err := database.ParseLocation("sqlite:" + file)
	l.must(err)
	was, err := sqlite.Driver{}.OpenSource(ctx, at, database.SourceOptions{})
	l.must(err)
	defer was.Close()
	results, err := rowdiff.Compare(ctx, was, stored, rowdiff.Options{}, func(*rowdiff.Table, *rowdiff.Change) error { return nil })
	l.must(err)
	for _, r := range results {
		if !r.Equal() {
			l.t.Errorf("snapshot %s of %s: table %s: %+v", s.ID, s.Time, r.Table, r)
		}
	}
	if len(results) != 1 || results[0].Rows != platformRows {
		l.t.Errorf("snapshot %s: compared %+v, want a table of %d rows", s.ID, results, platformRows)
	}
}

// month is the mean of the days up to one.
type month struct {
	name string
	days []lifeDay
}

// month returns the 30 days before the end of day to, counted from 1. The first day is in none: it
// has the first backup.
func (l *life) month(name string, to int) month { return month{name, l.days[max(1, to-30):to]} }

// mean returns the mean of what is measured on some days. A negative number is none.
func (m month) mean(of func(d *lifeDay) float64) float64 {
	sum, n := 0.0, 0
	for i := range m.days {
		if x := of(&m.days[i]); x >= 0 {
			sum, n = sum+x, n+1
		}
	}
	return sum / float64(max(1, n))
}

func (m month) most(of func(d *lifeDay) float64) (most float64) {
	for i := range m.days {
		most = max(most, of(&m.days[i]))
	}
	return most
}

// requests is a measure of what an operation requests; -1 on days on which it was not done.
func (c *cost) requestsOrNone() float64 {
	if !c.done {
		return -1
	}
	return float64(c.requests)
}

// lifeRow is a row of the table.
type lifeRow struct {
	name string
	of   func(d *lifeDay) float64
	free bool // it depends on the machine, or grows with what has happened
}

// measures are what grows or does not.
func measures() []lifeRow {
	ms := func(c *cost) float64 {
		if !c.done {
			return -1
		}
		return float64(c.cpu) / 1e6
	}
	all := []lifeRow{
		{"requests of a daily backup", func(d *lifeDay) float64 { return d.daily.requestsOrNone() }, false},
		{"requests of an unchanged backup", func(d *lifeDay) float64 { return d.unchanged.requestsOrNone() }, false},
		{"requests of forget", func(d *lifeDay) float64 { return d.forget.requestsOrNone() }, false},
		{"requests of prune --repack", func(d *lifeDay) float64 { return d.prune.requestsOrNone() }, false},
		{"ms of processors, daily backup", func(d *lifeDay) float64 { return ms(&d.daily) }, true},
		{"ms of processors, unchanged backup", func(d *lifeDay) float64 { return ms(&d.unchanged) }, true},
		{"ms of processors, prune --repack", func(d *lifeDay) float64 { return ms(&d.prune) }, true},
		{"KiB sent, daily backup", func(d *lifeDay) float64 { return float64(d.daily.sent) / 1024 }, false},
		{"KiB sent, unchanged backup", func(d *lifeDay) float64 {
			if !d.unchanged.done {
				return -1
			}
			return float64(d.unchanged.sent) / 1024
		}, false},
		{"KiB of packs", func(d *lifeDay) float64 { return float64(d.stored) / 1024 }, false},
		{"KiB of packs, live", func(d *lifeDay) float64 {
			if d.live == 0 {
				return -1
			}
			return float64(d.live) / 1024
		}, false},
		{"KiB of other objects that are in use", func(d *lifeDay) float64 { return float64(d.total()-d.stored-d.history()) / 1024 }, false},
		{"KiB of history", func(d *lifeDay) float64 { return float64(d.history()) / 1024 }, true},
		{"files in the cache", func(d *lifeDay) float64 { return float64(d.cache.files) }, false},
		{"KiB in the cache", func(d *lifeDay) float64 { return float64(d.cache.bytes) / 1024 }, false},
		{"KiB of state of the database", func(d *lifeDay) float64 { return float64(d.state.bytes) / 1024 }, false},
		{"KiB of heap", func(d *lifeDay) float64 { return float64(d.heap) / 1024 }, true},
		{"snapshots", func(d *lifeDay) float64 { return float64(d.snapshots) }, false},
	}
	for _, kind := range lifeKinds {
		free := kind == "history" || kind == "roll"
		all = append(all, lifeRow{"objects in " + kind + "/", func(d *lifeDay) float64 { return float64(d.objects[kind]) }, free})
	}
	return all
}

// lifeKinds are the kinds of objects.
var lifeKinds = []string{"packs", "trees", "index", "refs", "log", "roll", "history", "gc", "sessions", "config", "domains", "headers", "probe"}

// table prints months beside each other, as Markdown.
func table(months ...month) string {
	var b strings.Builder
	b.WriteString("\n| mean of a month |")
	for _, m := range months {
		fmt.Fprintf(&b, " %s |", m.name)
	}
	b.WriteString("\n|---|" + strings.Repeat("---|", len(months)))
	for _, row := range measures() {
		fmt.Fprintf(&b, "\n| %s |", row.name)
		for _, m := range months {
			fmt.Fprintf(&b, " %.0f |", m.mean(row.of))
		}
	}
	return b.String()
}

// wantsNoGrowth fails the test if something grows from the one month to the other that is no data,
// by more than a fifth and a little.
func (l *life) wantsNoGrowth(first, last month, names ...string) {
	l.t.Helper()
	for _, row := range measures() {
		if !slices.Contains(names, row.name) {
			continue
		}
		if was, is := first.mean(row.of), last.mean(row.of); is > 1.2*was+4 {
			l.t.Errorf("%s: %.1f in month %s, %.1f in month %s", row.name, was, first.name, is, last.name)
		}
	}
}

// wantsLittleDead fails the test if on some day after a prune more than a tenth of what is live is
// stored besides.
func (l *life) wantsLittleDead() {
	l.t.Helper()
	for n := range l.days {
		if d := &l.days[n]; d.live > 0 && float64(d.stored) > 1.1*float64(d.live) {
			l.t.Errorf("on day %d %d bytes are stored, of which %d are live", n, d.stored, d.live)
		}
	}
}

// historyOfADay is how many bytes roll-ups may keep of a day: the records of a backup, of what was
// forgotten and of a part of the weekly prune and check.
const historyOfADay = 8 << 10

// wantsLittleHistory fails the test if what has happened takes more room than its records.
func (l *life) wantsLittleHistory() {
	l.t.Helper()
	last := &l.days[len(l.days)-1]
	if most := int64(len(l.days) * historyOfADay); last.history() > most {
		l.t.Errorf("%d bytes are kept of what has happened in %d days, want at most %d", last.history(), len(l.days), most)
	}
}

// steady are the measures that neither snapshots nor time may make grow.
var steady = []string{"requests of a daily backup", "requests of an unchanged backup", "requests of forget", "KiB sent, unchanged backup"}

func TestAfterTwoMonthsABackupCostsWhatItDidInTheFirst(t *testing.T) {
	inBubble(t, 1, func(t *testing.T) {
		l := newLife(t)
		defer l.platform.close()
		l.roll = 30 // so that the log is rolled up several times
		l.live(60)
		first, last := l.month("1", 30), l.month("2", 60)
		t.Log(table(first, last))
		l.wantsNoGrowth(first, last, steady...)
		l.wantsLittleDead()
		l.wantsLittleHistory()
		if most := last.most(func(d *lifeDay) float64 { return float64(d.objects["log"]) }); most > 60 {
			t.Errorf("%.0f records lie in the log, which is rolled up weekly from %d", most, l.roll)
		}
		if more := last.mean(func(d *lifeDay) float64 { return float64(d.cache.files) - float64(d.objects["log"]+d.objects["refs"]) }); more > 50 {
			t.Errorf("the cache has a mean of %.0f files more than there are records and refs", more)
		}
		l.allComeBack()
		l.world.check()
	})
}
