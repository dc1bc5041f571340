package page

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/packstone/packstone/cmd/internal/program"
)

var (
	largeDir       = flag.String("page.repository", "", "a directory where the large repository is kept, to be used again")
	largeFiles     = flag.Int("page.files", filesDefault, "how many files the set large has at a time")
	largeSnapshots = flag.Int("page.large", largeDefault, "how many snapshots the set large has")
	smallSnapshots = flag.Int("page.small", smallDefault, "how many snapshots the set small has, of a hundredth of the files")
)

// mostMemory is how many KiB the process that shows the pages takes at most.
const mostMemory = 250 << 10

func TestPagesOfALargeRepository(t *testing.T) { showLarge(t) }

// showLarge makes a large repository, and shows its pages in a process of its own, whose memory is
// what they take.
func showLarge(t *testing.T) {
	dir := *largeDir
	if dir == "" {
		dir = t.TempDir()
	}
	w := newLargeWorld(t, dir)
	if taken := w.grow("large", *largeFiles, *largeSnapshots) + w.grow("small", max(*largeFiles/100, inFolder), *smallSnapshots); taken > 0 {
		t.Cleanup(w.check)
	}
	show := exec.Command(os.Args[0], "-test.run=^TestPagesOfAnotherProcess$", "-test.v")
	show.Env = append(os.Environ(), "PACKSTONE_TEST_PAGES="+dir)
	out, err := show.CombinedOutput()
	for line := range strings.Lines(string(out)) {
		if strings.HasPrefix(line, "|") || err != nil {
			fmt.Print(line)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestPagesOfAnotherProcess is the second step of TestPagesOfALargeRepository.
func TestPagesOfAnotherProcess(t *testing.T) {
	dir := os.Getenv("PACKSTONE_TEST_PAGES")
	if dir == "" {
		t.Skip("it is a step of another test")
	}
	program.PaceHeap()
	w := newLargeWorld(t, dir)
	w.now = time.Now()
	fmt.Printf("| what | first | median | worst | processor | JSON: median | worst | processor |\n|---|---|---|---|---|---|---|---|\n")
	first := w.shown("/")
	fmt.Printf("| the first look, after start | %s | | | %s | | | |\n", ms(first.wall), ms(first.processor))
	began, before := time.Now(), processorTime()
	w.followed()
	fmt.Printf("| until all names are noted | %s | | | %s | | | |\n", ms(time.Since(began)), ms(processorTime()-before))
	w.measurePages()
	peak, err := peakMemory()
	if err != nil {
		t.Fatal(err)
	}
	fmt.Printf("| the most memory, in MiB | %d | | | | | | |\n", peak>>10)
	if peak > mostMemory {
		t.Errorf("the process took %d KiB, which is more than %d", peak, mostMemory)
	}
}

func (w *world) measurePages() {
	last, before, oldest := w.idAt("large", 0), w.idAt("large", 1), w.idAt("large", 1<<30)
	at := func(more ...string) string {
		q := url.Values{"id": {last}, "source": {"files"}}
		for i := 0; i+1 < len(more); i += 2 {
			q.Set(more[i], more[i+1])
		}
		return "?" + q.Encode()
	}
	for _, p := range []struct{ what, name, parameters string }{
		{"overview", "overview", ""},
		{"timeline", "timeline", "?set=small&host=host"},
		{"timeline, its end", "timeline", "?set=small&host=host&from=" + strconv.Itoa(1<<30)},
		{"snapshot", "snapshot", "?id=" + last},
		{"browse, all folders", "browse", at()},
		{"browse, a folder", "browse", at("path", "folder-0005")},
		{"file", "file", at("path", "folder-0005/file-100.txt")},
		{"versions", "versions", at("path", "folder-0005/file-100.txt")},
		{"versions, older", "versions", at("path", "folder-0005/file-100.txt", "from", "100")},
		{"search the newest", "search", "?q=file-299"},
		{"search the newest for nothing", "search", "?q=nothing"},
		{"search all for what is gone", "search", "?all=yes&q=day-0003"},
		{"search all for much", "search", "?all=yes&q=file-29"},
		{"search all for nothing", "search", "?all=yes&q=nothing"},
		{"compare with the one before", "compare", "?before=" + before + "&after=" + last},
		{"compare with the oldest", "compare", "?before=" + oldest + "&after=" + last},
		{"restore", "restore", at()},
		{"storage", "storage", ""},
		{"jobs", "jobs", ""},
		{"drills", "drills", ""},
	} {
		i := slices.IndexFunc(looks, func(l look) bool { return l.name == p.name })
		page := w.measured(strings.TrimSuffix(looks[i].path, "{$}") + p.parameters)
		api := w.measured(apiPrefix + p.name + p.parameters)
		fmt.Printf("| %s | %s | %s | %s | %s | %s | %s | %s |\n", p.what, ms(page.first), ms(page.median), ms(page.worst), ms(page.processor), ms(api.median), ms(api.worst), ms(api.processor))
	}
}

// costs are of one answer.
type costs struct{ wall, processor time.Duration }

func (w *world) shown(path string) costs {
	began, before := time.Now(), processorTime()
	if answer := w.get(path); answer.Code != http.StatusOK {
		w.t.Errorf("%s: %d: %s", path, answer.Code, answer.Body)
	}
	return costs{time.Since(began), processorTime() - before}
}

// measurement is of a page: the first time, and then five times.
type measurement struct{ first, median, worst, processor time.Duration }

func (w *world) measured(path string) (m measurement) {
	m.first = w.shown(path).wall
	var wall, processor []time.Duration
	for range 5 {
		c := w.shown(path)
		wall, processor = append(wall, c.wall), append(processor, c.processor)
	}
	slices.Sort(wall)
	slices.Sort(processor)
	m.median, m.worst, m.processor = wall[2], wall[4], processor[2]
	return m
}

func ms(d time.Duration) string { return fmt.Sprintf("%.1f", d.Seconds()*1000) }

// idAt is the id of a snapshot of a set, counted from the newest.
func (w *world) idAt(set string, from int) string {
	w.t.Helper()
	var shown struct{ Snapshots []struct{ ID string } }
	answer := w.get(apiPrefix + "timeline?host=host&set=" + set + "&from=" + strconv.Itoa(from))
	if err := json.Unmarshal(answer.Body.Bytes(), &shown); err != nil || len(shown.Snapshots) == 0 {
		w.t.Fatalf("the timeline of %s: %v: %s", set, err, answer.Body)
	}
	return shown.Snapshots[0].ID
}

func processorTime() time.Duration {
	var used syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &used) // it does not fail for oneself
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// peakMemory is the most that the process has had resident, in KiB.
func peakMemory() (peak int, err error) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		if text, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			return strconv.Atoi(strings.Fields(text)[0])
		}
	}
	return 0, errors.New("the system does not tell how much memory a process has had")
}
