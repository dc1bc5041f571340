package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/packstone/packstone/archive/store/s3test"
	"github.com/packstone/packstone/cmd/internal/notice/noticetest"
	"github.com/packstone/packstone/pipeline/database/postgres/postgrestest"
	"github.com/packstone/packstone/pipeline/remote/servertest"
	"github.com/packstone/packstone/pipeline/remote/sftp/sftptest"
)

// day is a daemon that backs up a platform of real servers into real storage, and what is told of
// it.
type day struct {
	t        *testing.T
	home     string
	schedule string
	env      []string

	postgres string // its URL
	files    string
	remote   *sftptest.Server
	lake     *s3test.Server
	bucket   string
	storage  *s3test.Server
	url      string         // of the repository
	proxy    *countingProxy // through which storage is reached
	mail     *noticetest.SMTP
	webhook  *noticetest.Webhook

	daemon  *exec.Cmd
	address string // at which it serves
	changes int
}

func newDay(t *testing.T, schedule string) *day {
	t.Helper()
	d := &day{
		t: t, home: t.TempDir(), schedule: schedule, postgres: postgrestest.Database(t), files: t.TempDir(), remote: sftptest.Start(t, ""),
		lake: s3test.Start(t, s3test.Options{}), storage: s3test.Start(t, s3test.Options{}), mail: noticetest.NewSMTP(t, "hunter2"), webhook: noticetest.NewWebhook(t),
	}
	d.bucket, d.address = d.lake.Bucket(t), freeAddress(t)
	var port int
	if _, err := fmt.Sscanf(d.storage.Host, "127.0.0.1:%d", &port); err != nil {
		t.Fatal(err)
	}
	d.proxy = startProxy(t, port)
	d.url = fmt.Sprintf("minio+http://127.0.0.1:%d/%s/platform", d.proxy.port, d.storage.Bucket(t))
	d.env = []string{
		"HOME=" + d.home, "PATH=" + os.Getenv("PATH"), "TZ=UTC", "PACKSTONE_CONFIG=" + filepath.Join(d.home, "packstone.yaml"),
		"PACKSTONE_S3_ACCESS_KEY=" + d.storage.AccessKey, "PACKSTONE_S3_SECRET_KEY=" + d.storage.SecretKey,
		"PACKSTONE_LAKE_ACCESS_KEY=" + d.lake.AccessKey, "PACKSTONE_LAKE_SECRET_KEY=" + d.lake.SecretKey,
		"SSL_CERT_FILE=" + filepath.Join(d.home, "smtp.pem"),
	}
	postgrestest.Exec(t, d.postgres, "CREATE TABLE job (id int PRIMARY KEY, name text NOT NULL); CREATE TABLE step (id int PRIMARY KEY, job int NOT NULL REFERENCES job, blob bytea)")
	d.put("packstone.yaml", d.settings())
	d.put("smtp.pem", string(d.mail.PEM))
	d.put("password", "hunter2\n")
	d.put("hook", d.webhook.URL+"/hook\n")
	d.change()
	d.packstone(exitDone, "init")
	t.Cleanup(func() { d.kill() })
	return d
}

// freeAddress is one of this machine at which nobody listens just now.
func freeAddress(t *testing.T) string {
	t.Helper()
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(servertest.FreePort(t)))
}

func (d *day) settings() string {
	return fmt.Sprintf(`version: 1
repository: %s
host: p1
sources:
  metadata: {type: database, url: %q}
  files: {type: files, path: %q}
  shared: {type: files, url: "sftp://%s@127.0.0.1:%d%s", known_hosts: %s, key_file: %s}
  lake: {type: lake, path: "minio+%s/%s/lake"}
sets:
  platform: {sources: [metadata, files, shared, lake], schedule: %q, max_age: 1d, retention: {keep_last: 3}}
jobs:
  prune: {schedule: "@every 4m"}
  check: {schedule: "@every 5m", read_data: 20%%}
notify:
  - {webhook_file: hook}
  - {smtp: {host: 127.0.0.1, port: %d, from: backup@example.org, to: [ops@example.org], user: backup, password_file: password}}
serve: {listen: %q, metrics: true}
`, d.url, d.postgres, d.files, d.remote.Client().User, d.remote.Port, d.remote.Disk, d.remote.KnownHosts, d.remote.KeyFile,
		d.lake.Endpoint, d.bucket, d.schedule, d.mail.Port, d.address)
}

func (d *day) put(name, text string) {
	d.t.Helper()
	if err := os.WriteFile(filepath.Join(d.home, name), []byte(text), 0o600); err != nil {
		d.t.Fatal(err)
	}
}

// incompressible are bytes that do not compress.
func incompressible(n int, seed uint64) []byte {
	bytes := make([]byte, n)
	r := rand.New(rand.NewPCG(seed, 1))
	for i := range bytes {
		bytes[i] = byte(r.Uint32())
	}
	return bytes
}

// change has something new come into every source.
func (d *day) change() {
	d.t.Helper()
	d.changes++
	n := d.changes
	postgrestest.Exec(d.t, d.postgres, fmt.Sprintf("INSERT INTO job VALUES (%d, 'job %d'); INSERT INTO step SELECT %d * 1000 + i, %d, decode(md5(i::text), 'hex') FROM generate_series(1, 100) i", n, n, n, n))
	name := fmt.Sprintf("result-%04d.bin", n)
	putFile(d.t, filepath.Join(d.files, name), incompressible(100_000, uint64(n)), n)
	putFile(d.t, filepath.Join(d.remote.Disk, name), incompressible(50_000, uint64(n)+1000), n)
	key := "lake/part-" + name
	if _, err := d.lake.Client().PutObject(context.Background(), &s3.PutObjectInput{Bucket: &d.bucket, Key: &key, Body: bytes.NewReader(incompressible(200_000, uint64(n)+2000))}); err != nil {
		d.t.Fatal(err)
	}
}

// packstone runs the program to its end.
func (d *day) packstone(code int, args ...string) string {
	d.t.Helper()
	cmd := exec.Command("packstone", args...)
	cmd.Env, cmd.Dir = d.env, d.home
	out, err := cmd.CombinedOutput()
	if got := cmd.ProcessState.ExitCode(); got != code {
		d.t.Fatalf("packstone %s ended with %d, want %d: %v\n%s\n%s", strings.Join(args, " "), got, code, err, out, d.logTail())
	}
	return string(out)
}

// start starts the daemon, and returns when it serves.
func (d *day) start() {
	d.t.Helper()
	before := len(d.log())
	d.daemon = exec.Command("packstone", "run", "--json", "--log-file", filepath.Join(d.home, "log"), "--give-up-after", "2s")
	d.daemon.Env, d.daemon.Dir = d.env, d.home
	if err := d.daemon.Start(); err != nil {
		d.t.Fatal(err)
	}
	d.until("the daemon has begun a job", func() bool { return len(d.log()) > before })
}

// kill ends the daemon as kill -9 does.
func (d *day) kill() {
	if d.daemon != nil {
		d.daemon.Process.Kill()
		d.daemon.Wait() // it was killed
		d.daemon = nil
	}
}

// logLine is what the daemon says of a job.
type logLine struct {
	Time       time.Time `json:"time"`
	Message    string    `json:"message_type"`
	Job        string    `json:"job"`
	Why        string    `json:"why"`
	Outcome    string    `json:"outcome"`
	Code       int       `json:"code"`
	Cause      string    `json:"cause"`
	SnapshotID string    `json:"snapshot_id"`
	Text       string    `json:"message"`
	Stored     int64     `json:"data_added_packed"`
}

// log is what the daemon has said so far.
func (d *day) log() (lines []logLine) {
	d.t.Helper()
	text, err := os.ReadFile(filepath.Join(d.home, "log"))
	if err != nil {
		return nil
	}
	for line := range bytes.Lines(text) {
		var l logLine
		if !bytes.HasSuffix(line, []byte("\n")) {
			break // it is being written
		}
		if err := json.Unmarshal(line, &l); err != nil {
			d.t.Fatalf("a line of the log is no JSON: %s", line)
		}
		lines = append(lines, l)
	}
	return lines
}

func (d *day) logTail() string {
	text, _ := os.ReadFile(filepath.Join(d.home, "log"))
	return string(text[max(0, len(text)-4000):])
}

// ended counts the runs of a job that ended so.
func (d *day) ended(job, outcome string) (n int) {
	for _, l := range d.log() {
		if l.Message == "job_ended" && l.Job == job && l.Outcome == outcome {
			n++
		}
	}
	return n
}

const platformJob = "backup platform"

// patience is how long a test waits for what must come.
const patience = 10 * time.Minute

// until waits for what must come.
func (d *day) until(what string, is func() bool) {
	d.t.Helper()
	for begun := time.Now(); !is(); time.Sleep(20 * time.Millisecond) {
		if time.Since(begun) > patience {
			d.t.Fatalf("not within %v: %s\n%s", patience, what, d.logTail())
		}
	}
}

// well waits for n more backups that are done, with a change before each.
func (d *day) well(n int) {
	d.t.Helper()
	for range n {
		d.change()
		done := d.ended(platformJob, "done")
		d.until("a backup is done", func() bool { return d.ended(platformJob, "done") > done })
	}
}

// get asks the daemon for a page.
func (d *day) get(path string) (code int, text string) {
	d.t.Helper()
	answer, err := http.Get("http://" + d.address + path)
	if err != nil {
		d.t.Fatalf("ask for %s%s: %v\n%s", d.address, path, err, d.logTail())
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		d.t.Fatal(err)
	}
	return answer.StatusCode, string(body)
}

// metric is the value of a metric, which must be there.
func (d *day) metric(name string) (value float64) {
	d.t.Helper()
	_, text := d.get("/metrics")
	lines := bufio.NewScanner(strings.NewReader(text))
	for lines.Scan() {
		if rest, ok := strings.CutPrefix(lines.Text(), name); ok {
			if _, err := fmt.Sscan(strings.TrimSpace(rest), &value); err == nil {
				return value
			}
		}
	}
	d.t.Fatalf("there is no metric %s in\n%s", name, text)
	return 0
}

// notices are the events that have arrived by the webhook, in order.
func (d *day) notices() (events []string) {
	for _, r := range d.webhook.Received() {
		var n struct{ Event, Set, State string }
		if err := json.Unmarshal([]byte(r.Body), &n); err != nil || n.Set != "platform" {
			d.t.Fatalf("the webhook got %s", r.Body)
		}
		events = append(events, n.Event)
	}
	return events
}

// told fails the test unless just these events have arrived, by both ways.
func (d *day) told(want ...string) {
	d.t.Helper()
	d.until(fmt.Sprintf("%d notices by mail", len(want)), func() bool { return len(d.mail.Mails()) >= len(want) && len(d.notices()) >= len(want) })
	subjects := map[string]string{"failed": "the backup failed", "recovered": "protected again"}
	mails := d.mail.Mails()
	if got := strings.Join(d.notices(), " "); got != strings.Join(want, " ") || len(mails) != len(want) {
		d.t.Fatalf("told %q by the webhook and %d mails, want %q", got, len(mails), want)
	}
	for i, event := range want {
		if !strings.Contains(mails[i], "Subject: packstone: platform on p1: "+subjects[event]) {
			d.t.Errorf("mail %d is not of %s:\n%s", i, event, mails[i])
		}
	}
}

// quiet waits for a moment in which no job is at work, and the next begins in a while. What is
// taken away in the middle of a request is given up only when nothing has moved for minutes.
func (d *day) quiet() {
	d.t.Helper()
	seen := len(d.log())
	d.until("no job is at work", func() bool {
		lines := d.log()
		last := lines[len(lines)-1]
		return len(lines) > seen && last.Message == "job_ended" && last.Job == "forget platform"
	})
}

// without lets n backups fail while the storage is away, looks at what is told meanwhile, and
// brings it back.
func (d *day) without(n int, take, bring func(), before ...string) {
	d.t.Helper()
	d.quiet()
	take()
	d.change()
	failed := d.ended(platformJob, "failed")
	d.until("backups fail", func() bool { return d.ended(platformJob, "failed") >= failed+n })
	d.told(append(before, "failed")...)
	if code, text := d.get("/healthz"); code != http.StatusServiceUnavailable || !strings.Contains(text, "p1/platform: failed") {
		d.t.Errorf("/healthz while the storage is away: %d %s", code, text)
	}
	if code, _ := d.get("/readyz"); code != http.StatusOK {
		d.t.Errorf("/readyz while the storage is away: %d", code)
	}
	d.until("metrics count the failures", func() bool { return d.metric(`packstone_failures_in_a_row{host="p1",set="platform"}`) >= float64(n) }) // the log is quicker
	if state := d.metric(`packstone_state{host="p1",set="platform",state="failed"}`); state != 1 {
		d.t.Errorf("metrics: failed is %v", state)
	}
	if total := d.metric(`packstone_run_failures_total{host="p1",kind="unreachable",set="platform"}`); total < float64(n) {
		d.t.Errorf("metrics: %v were unreachable, want at least %d", total, n)
	}
	d.packstone(exitUnreachable, "status", "--give-up-after", "1s")
	done := d.ended(platformJob, "done")
	bring()
	d.until("it is backed up again", func() bool { return d.ended(platformJob, "done") > done })
	d.told(append(before, "failed", "recovered")...)
	d.isWell()
}

// isWell fails the test unless everything says that the set is protected.
func (d *day) isWell() {
	d.t.Helper()
	d.until("metrics say so", func() bool { return d.metric(`packstone_state{host="p1",set="platform",state="protected"}`) == 1 })
	if code, text := d.get("/healthz"); code != http.StatusOK {
		d.t.Errorf("/healthz: %d %s", code, text)
	}
	if text := d.packstone(exitDone, "status"); !regexp.MustCompile(`(?m)^platform +p1 +protected`).MatchString(text) {
		d.t.Errorf("status: %s", text)
	}
}

// killMidway kills the daemon while a pack of a backup is on its way, and starts it again.
func (d *day) killMidway() {
	d.t.Helper()
	putFile(d.t, filepath.Join(d.files, "large.bin"), incompressible(40<<20, 99), 1)
	d.proxy.stop(24 << 20)
	<-d.proxy.reached
	d.kill()
	d.proxy.goOn()
	lines := d.log()
	if last := lines[len(lines)-1]; last.Message != "job_started" || last.Job != platformJob {
		d.t.Errorf("the daemon was killed after %+v", last)
	}
	done := d.ended(platformJob, "done")
	d.start()
	d.until("the interrupted backup is done", func() bool { return d.ended(platformJob, "done") > done })
	for _, l := range d.log()[len(lines):] {
		if l.Message == "job_started" {
			if l.Job != platformJob {
				d.t.Errorf("the first job after the kill is %+v", l)
			}
			break
		}
	}
	d.isWell()
}

// close stops the daemon, and compares what the last snapshot holds with what there is.
func (d *day) close() {
	d.t.Helper()
	done := d.ended(platformJob, "done")
	d.change()
	d.until("a backup of what there is at the end", func() bool { return d.ended(platformJob, "done") > done+1 }) // one may have begun before
	if err := d.daemon.Process.Signal(syscall.SIGTERM); err != nil {
		d.t.Fatal(err)
	}
	if err := d.daemon.Wait(); err != nil {
		d.t.Errorf("the daemon ended with %v", err)
	}
	d.daemon = nil
	d.packstone(exitDone, "restore", "latest", "--set", "platform", "--target", "restored")
	for source, dir := range map[string]string{"files": d.files, "shared": d.remote.Disk} {
		sameFiles(d.t, dir, filepath.Join(d.home, "restored", source))
	}
	sameFiles(d.t, filepath.Join(d.lake.Dir, d.bucket, "lake"), filepath.Join(d.home, "restored", "lake"))
	d.packstone(exitDone, "restore", "latest:metadata", "--set", "platform", "--to", "sqlite:metadata.db")
	d.packstone(exitDone, "db", "verify", "--from", d.postgres, "--against", "sqlite:metadata.db")
	d.packstone(exitDone, "check", "--read-data")
}

func sameFiles(t *testing.T, want, got string) {
	t.Helper()
	names, err := filepath.Glob(want + "/*")
	if err != nil || len(names) == 0 {
		t.Fatal(len(names), err)
	}
	for _, name := range names {
		a, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if b, err := os.ReadFile(filepath.Join(got, filepath.Base(name))); err != nil || !bytes.Equal(a, b) {
			t.Errorf("%s came back otherwise: %v", name, err)
		}
	}
}

// pausing and killing are the ways in which storage is taken away.
func (d *day) signal(signal syscall.Signal) func() {
	return func() {
		d.t.Helper()
		if err := syscall.Kill(d.storage.PID(), signal); err != nil {
			d.t.Fatal(err)
		}
	}
}

// live lets the daemon work for a time, with all that is to happen in it.
func (d *day) live(least time.Duration) {
	d.t.Helper()
	begun := time.Now()
	d.start()
	d.well(2)
	d.isWell()
	d.told()
	d.without(2, d.signal(syscall.SIGSTOP), d.signal(syscall.SIGCONT))
	d.well(1)
	d.without(2, d.storage.Kill, func() { d.storage.Restart(d.t) }, "failed", "recovered")
	d.killMidway()
	d.well(1)
	for time.Since(begun) < least {
		d.well(1)
	}
	d.isWell()
	d.told("failed", "recovered", "failed", "recovered")
	of := fmt.Sprintf("{repository=%q}", d.url)
	if size, packs := d.metric("packstone_repository_size_bytes"+of), d.metric("packstone_repository_packs"+of); size < 1 || packs < 1 {
		d.t.Errorf("metrics: the repository has %v bytes in %v packs", size, packs)
	}
	d.close()
	d.count(time.Since(begun))
}

// count prints what has happened.
func (d *day) count(took time.Duration) {
	counts := map[string]int{}
	stored := int64(0)
	for _, l := range d.log() {
		if l.Message == "job_ended" {
			counts[l.Job+" "+l.Outcome]++
			stored += l.Stored
		}
	}
	d.t.Logf("%v; runs: %v; %d KiB stored; notices by webhook: %v, mails: %d; changes of sources: %d", took.Round(time.Second), counts, stored>>10, d.notices(), len(d.mail.Mails()), d.changes)
}

func TestADaemonWithRealServersTellsOneFailureAndOneRecovery(t *testing.T) {
	newDay(t, "@every 3s").live(0)
}
