package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/packstone/packstone/archive/store/s3test"
	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/local/faulttest"
)

var siegeSeed = flag.Uint64("siege.seed", 0, "what a siege is drawn by; 0: another one each time")

// siege is a host whose program, storage and network fail, while its files and rows change.
type siege struct {
	*truth
	t        *testing.T
	home     string
	storage  *s3test.Server
	network  *badNetwork // before the storage
	beside   *badNetwork // before the database
	slow     *faulttest.Mount
	main     string // the repository
	mirror   string
	made     map[string]span // of each snapshot whose backup has said that it is there
	maySlip  map[string]bool // what a forget was tried for
	mu       sync.Mutex      // of all that follows
	ends     map[string]int  // how often verbs ended in which way
	restored map[string]int  // snapshots that were compared, of each repository
	counts   struct{ programs, servers, slow, weathers int }
}

// span is from when to when a backup ran.
type span struct{ from, to instant }

func newSiege(t *testing.T) *siege {
	s := &siege{
		truth: &truth{dir: filepath.Join(t.TempDir(), "data"), database: emptyDatabase(t, database.Postgres)}, t: t, home: t.TempDir(),
		storage: s3test.Start(t, s3test.Options{}), made: map[string]span{}, maySlip: map[string]bool{}, ends: map[string]int{}, restored: map[string]int{},
	}
	s.network, s.beside = newBadNetwork(t, s.storage.Host), newBadNetwork(t, hostOf(s.database))
	s.main = "minio+http://" + s.network.address() + "/" + s.storage.Bucket(t) + "/p"
	s.mirror = "minio+http://" + s.network.address() + "/" + s.storage.Bucket(t) + "/p"
	mustMkdir(t, s.dir)
	for i := range siegeFiles {
		if err := s.write(i); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := execute(t, s.database, siegeTables); err != nil {
		t.Fatal(err)
	}
	path := s.dir
	if _, err := os.Stat("/dev/fuse"); err != nil {
		t.Logf("NOT TESTED here: slow disks: %v", err)
	} else {
		s.slow = faulttest.New(t, s.dir, faulttest.Options{})
		path = s.slow.Point
	}
	settings := fmt.Sprintf("version: 1\nhost: host\nsources:\n  files: {type: files, path: %s}\n  table: {type: database, url: %q}\nsets:\n  all: {sources: [files, table]}\n",
		path, strings.Replace(s.database, hostOf(s.database), s.beside.address(), 1))
	if err := os.WriteFile(filepath.Join(s.home, "packstone.yaml"), []byte(settings), 0o600); err != nil {
		t.Fatal(err)
	}
	s.must("init", "-r", s.main)
	s.must("init", "-r", s.mirror)
	return s
}

// hostOf is the address in a URL of a database.
func hostOf(url string) string {
	_, host, _ := strings.Cut(url, "@")
	host, _, _ = strings.Cut(host, "/")
	return host
}

func (s *siege) command(args ...string) (*exec.Cmd, *bytes.Buffer, *bytes.Buffer) {
	cmd, out, errs := exec.Command("packstone", args...), new(bytes.Buffer), new(bytes.Buffer)
	cmd.Dir, cmd.Stdout, cmd.Stderr = s.home, out, errs
	cmd.Env = append(os.Environ(), "HOME="+s.home, "XDG_CACHE_HOME="+s.home+"/cache", "XDG_CONFIG_HOME="+s.home+"/config", "XDG_DATA_HOME="+s.home+"/data",
		"XDG_STATE_HOME="+s.home+"/state", "TMPDIR="+s.home, "PACKSTONE_CONFIG="+s.home+"/packstone.yaml", "PACKSTONE_REPOSITORY="+s.main,
		"PACKSTONE_S3_ACCESS_KEY="+s.storage.AccessKey, "PACKSTONE_S3_SECRET_KEY="+s.storage.SecretKey)
	return cmd, out, errs
}

// must runs the program in peace.
func (s *siege) must(args ...string) string {
	s.t.Helper()
	cmd, out, errs := s.command(args...)
	if err := cmd.Run(); err != nil {
		s.t.Fatalf("packstone %v: %v\n%s%s", args, err, out, errs)
	}
	return out.String()
}

// work is some verbs that run one after the other, of which one may be killed.
type work struct {
	verbs [][]string

	mu      sync.Mutex
	running *exec.Cmd
	killed  bool
	ended   chan struct{}
}

// kill ends the verb that runs, and lets none begin after it.
func (w *work) kill() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.killed = true
	return w.running != nil && w.running.Process.Kill() == nil
}

// next starts a verb, unless the work was killed.
func (w *work) next(cmd *exec.Cmd) (bool, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.killed {
		return false, nil
	}
	w.running = cmd
	return true, cmd.Start()
}

func (w *work) over() (killed bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.running = nil
	return w.killed
}

// begin runs verbs beside the test.
func (s *siege) begin(verbs ...[]string) *work {
	w := &work{verbs: verbs, ended: make(chan struct{})}
	go func() {
		defer close(w.ended)
		for _, args := range w.verbs {
			s.one(w, args)
		}
	}()
	return w
}

// one runs one verb, and remembers how it ended.
func (s *siege) one(w *work, args []string) {
	cmd, out, errs := s.command(args...)
	from := s.before()
	if started, err := w.next(cmd); err != nil {
		s.t.Errorf("start packstone %v: %v", args, err)
		return
	} else if !started {
		return
	}
	_ = cmd.Wait()
	killed := w.over()
	to := s.after()
	code := cmd.ProcessState.ExitCode()
	s.mu.Lock()
	defer s.mu.Unlock()
	if killed && code < 0 {
		s.ends[args[0]+" killed"]++
		return
	}
	s.ends[fmt.Sprintf("%s %d", args[0], code)]++
	if args[0] == "backup" && (code == exitDone || code == exitMissing) {
		s.made[lastField(out.Bytes(), "snapshot_id")] = span{from, to}
	}
	if !slices.Contains(siegeCodes[args[0]], code) {
		s.t.Errorf("packstone %v ended with %d\n%s%s", args, code, tail(out.String()), tail(errs.String()))
	}
}

// siegeCodes are what verbs may end with that nobody has killed. A database that is away while it is
// read makes no snapshot; nobody else may be collecting; the storage is never away for long.
var siegeCodes = map[string][]int{
	"backup": {exitDone, exitUnreachable}, "forget": {exitDone}, "prune": {exitDone, exitHeld}, "copy": {exitDone},
}

// blow is what is killed.
type blow struct {
	program, server bool
	beside          bool          // the other program, too
	away            time.Duration // how long the server is not there
}

func drawBlow(r *rand.Rand) blow {
	b := blow{away: time.Duration(r.IntN(700)) * time.Millisecond}
	switch r.IntN(4) {
	case 0:
		b.program = true
	case 1:
		b.server = true
	case 2:
		b.program, b.server = true, true
	case 3:
		b.program, b.beside = true, true
	}
	return b
}

// round backs up, and does something else at the same time, in some weather and with a blow.
func (s *siege) round(n int) {
	r := rand.New(rand.NewPCG(*siegeSeed, uint64(n)))
	chores := s.chores(n)
	works := []*work{s.begin([]string{"backup", "all", "--json"}), s.begin(chores...)}
	struck := s.network.after(int64(r.ExpFloat64() * 60_000))
	over := s.storms(r)
	b := drawBlow(r)
	select {
	case <-struck:
	case <-over.Done():
	}
	s.strike(works[r.IntN(2)], works, b)
	<-over.Done()
	s.calm()
	for _, w := range works {
		<-w.ended
	}
}

// storms begins bad weather, and returns what ends with it.
func (s *siege) storms(r *rand.Rand) context.Context {
	is := weathers[r.IntN(len(weathers))]
	s.network.becomes(is)
	if r.IntN(3) == 0 {
		s.beside.becomes(weathers[r.IntN(len(weathers))])
	}
	if is.name != "calm" {
		s.counts.weathers++
	}
	if s.slow != nil && r.IntN(3) == 0 {
		s.counts.slow++
		s.slow.Rule("delay read 4ms")
		s.slow.Rule("delay open 2ms")
	}
	over, cancel := context.WithTimeout(s.t.Context(), time.Duration(500+r.IntN(1500))*time.Millisecond)
	s.t.Cleanup(cancel)
	return over
}

func (s *siege) calm() {
	s.network.becomes(weathers[0])
	s.beside.becomes(weathers[0])
	if s.slow != nil {
		s.slow.Rule("clear")
	}
}

// strike kills.
func (s *siege) strike(one *work, all []*work, b blow) {
	if b.server {
		s.storage.Kill()
		s.counts.servers++
	}
	for _, w := range all {
		if b.program && (w == one || b.beside) && w.kill() {
			s.counts.programs++
		}
	}
	if b.server {
		time.Sleep(b.away)
		s.storage.Restart(s.t)
	}
}

// siegeKeep is how many snapshots are kept.
const siegeKeep = 8

// chores are what runs beside the backup of a round.
func (s *siege) chores(n int) [][]string {
	switch n % 3 {
	case 0:
		return [][]string{{"copy", "--from", s.main, "-r", s.mirror, "--json"}}
	case 1:
		s.expectsForget()
		return [][]string{{"forget", "--keep-last", fmt.Sprint(siegeKeep), "--json"}, siegePrune()}
	}
	return [][]string{siegePrune("--repack", "--max-unused", "5%", "--roll-up-after", "12")}
}

func siegePrune(more ...string) []string {
	return append([]string{"prune", "--grace", "0", "--yes", "--dead-after", "10s", "--json"}, more...)
}

type siegeSnapshot struct {
	ID     string
	Origin *struct{ Snapshot string }
}

func (s *siege) list(repository string) (all []siegeSnapshot) {
	s.t.Helper()
	if err := json.Unmarshal([]byte(s.must("snapshots", "-r", repository, "--json")), &all); err != nil {
		s.t.Fatal(err)
	}
	return all
}

// expectsForget fails the test if a snapshot is gone that nobody forgets, and remembers what may be
// gone from now on: all but the newest, less the one that the backup makes meanwhile.
func (s *siege) expectsForget() {
	s.t.Helper()
	all := s.list(s.main)
	s.holds(all)
	for _, snapshot := range all[:max(0, len(all)-siegeKeep+1)] {
		s.maySlip[snapshot.ID] = true
	}
}

// holds fails the test unless all snapshots are listed that nobody may have forgotten.
func (s *siege) holds(all []siegeSnapshot) {
	s.t.Helper()
	for id := range s.made {
		if !s.maySlip[id] && !slices.ContainsFunc(all, func(one siegeSnapshot) bool { return one.ID == id }) {
			s.t.Errorf("snapshot %s is gone", id)
		}
	}
}

// comesBack restores a snapshot, which is a copy of id or that itself, and holds it against the truth.
func (s *siege) comesBack(repository, snapshot, id string) {
	s.t.Helper()
	to := filepath.Join(s.home, "back")
	defer os.RemoveAll(to)
	made, told := s.made[id]
	if !told { // it was killed before it could tell
		made.to = s.after()
	}
	s.must("restore", "-q", "-r", repository, snapshot, "--target", to)
	wrong := filesWere(filepath.Join(to, "files"), made.from, made.to)
	tables, err := rowsOfFile(filepath.Join(to, "table.sqlite"))
	if err != nil {
		wrong = append(wrong, err.Error())
	}
	wrong = append(wrong, rowsWere(tables, made.from, made.to)...)
	if len(wrong) > 0 {
		s.t.Errorf("%d things are wrong with snapshot %s of %s: %s", len(wrong), snapshot, repository, strings.Join(wrong[:min(5, len(wrong))], "\n"))
	}
	s.restored[repository]++
}

// lookBack compares the newest snapshot with what its backup saw.
func (s *siege) lookBack() {
	s.t.Helper()
	all := s.list(s.main)
	s.holds(all)
	if len(all) > 0 {
		newest := all[len(all)-1].ID
		s.comesBack(s.main, newest, newest)
	}
}

// settle backs up once more when all is quiet, for every backup may have been killed, and looks at
// everything.
func (s *siege) settle() {
	s.t.Helper()
	s.must("backup", "all", "-q")
	s.must("copy", "--from", s.main, "-r", s.mirror)
	for _, repository := range []string{s.main, s.mirror} {
		prune := []string{"prune", "-r", repository, "--grace", "0", "--yes", "--dead-after", "0s", "--repack", "--max-unused", "1%"}
		s.must(prune...)
		s.must(prune...)
		s.must("check", "-r", repository, "--read-data")
		s.must("catalog", "verify", "-r", repository)
		if out := s.must("prune", "-r", repository, "-n", "--repack", "--max-unused", "5%", "--grace", "0"); strings.Contains(out, "would repack") || !strings.Contains(out, "would delete 0 packs") {
			s.t.Errorf("something stale is left in %s: %s", repository, out)
		}
	}
	all := s.list(s.main)
	s.holds(all)
	for _, one := range all {
		s.comesBack(s.main, one.ID, one.ID)
	}
	copies := s.list(s.mirror)
	for _, one := range copies {
		if one.Origin == nil {
			s.t.Errorf("snapshot %s of the mirror is no copy", one.ID)
			continue
		}
		s.comesBack(s.mirror, one.ID, one.Origin.Snapshot)
	}
	s.intoServer(all[len(all)-1].ID)
}

// intoServer restores the tables of a snapshot into an empty database.
func (s *siege) intoServer(id string) {
	s.t.Helper()
	to := emptyDatabase(s.t, database.Postgres)
	s.must("restore", id+":table", "--to", to)
	made, told := s.made[id]
	if !told {
		made.to = s.after()
	}
	if wrong := rowsWere(rowsOfServer(s.t, to), made.from, made.to); len(wrong) > 0 {
		s.t.Errorf("snapshot %s in a server: %s", id, strings.Join(wrong, "\n"))
	}
}

// A program and a server of storage that are killed at random, in bad weather, while files and rows
// change: no snapshot is lost, none holds what never was, and what is dead is gone in the end.
func TestSoakNothingIsLostWhoeverIsKilledWhileFilesAndRowsChange(t *testing.T) {
	if *siegeSeed == 0 {
		*siegeSeed = rand.Uint64()
	}
	t.Logf("-siege.seed=%d", *siegeSeed)
	begun := time.Now()
	s := newSiege(t)
	stop := make(chan struct{})
	changing := s.change(t, stop)
	for n := range siegeRounds {
		s.round(n)
		if n%8 == 7 {
			s.lookBack()
		}
		if t.Failed() {
			break
		}
	}
	close(stop)
	changing.Wait()
	s.settle()
	s.tell(time.Since(begun))
}

func (s *siege) tell(took time.Duration) {
	var ends []string
	for _, how := range slices.Sorted(maps.Keys(s.ends)) {
		ends = append(ends, fmt.Sprintf("%s: %d", how, s.ends[how]))
	}
	now := s.after()
	s.t.Logf("counted: real kills: %d rounds in %v: %d programs and %d servers were killed, %d times bad weather, %d times a slow disk; %d connections were cut, %d half open",
		siegeRounds, took.Round(time.Second), s.counts.programs, s.counts.servers, s.counts.weathers, s.counts.slow,
		s.network.cut.Load()+s.beside.cut.Load(), s.network.deafened.Load()+s.beside.deafened.Load())
	s.t.Logf("how verbs ended: %s", strings.Join(ends, ", "))
	s.t.Logf("%d snapshots were made, %d restored and compared, and %d copies; %d transactions of two writers meanwhile", len(s.made), s.restored[s.main], s.restored[s.mirror],
		now.transactions[0]+now.transactions[1])
	s.t.Logf("killed programs have left in the home: %q", s.unfinished())
}

// unfinished lists what lies in the home under a name that files have before they are whole.
func (s *siege) unfinished() (all []string) {
	s.t.Helper()
	err := filepath.WalkDir(s.home, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name := d.Name(); strings.HasPrefix(name, ".tmp") || strings.HasPrefix(name, ".packstone") || strings.HasPrefix(name, "packstone-") {
			info, err := d.Info()
			if err != nil {
				return err
			}
			all = append(all, fmt.Sprintf("%s of %d bytes", strings.TrimPrefix(path, s.home+"/"), info.Size()))
		}
		return nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return all
}
