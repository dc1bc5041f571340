package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/packstone/packstone/pipeline/remote/ftp"
	"github.com/packstone/packstone/pipeline/remote/ftp/ftptest"
	"github.com/packstone/packstone/pipeline/remote/sftp/sftptest"
)

// fileServer is a real server of files as a user sees it.
type fileServer struct {
	disk     string // the directory behind url
	url      string
	settings string   // of a source there, each after a comma
	env      []string // for --to
	own      func(t testing.TB)
	kill     func()
	start    func(t testing.TB)
	proxy    *countingProxy // what url names; data of FTP goes beside it
	perFile  int64          // at least so many bytes a client sends for each file that it asks for, and a thirtieth of them to list it
	// fetched and stored are the files and bytes that went over the wire so far. Where a server
	// does not log them, files is -1 and bytes are all that came through.
	fetched, stored func() (files int, bytes int64)
	noModes         bool // permissions cannot be set
}

// serverKinds are the servers that backups and restores are tried with. Those that cannot be
// restored to are sources alone.
var serverKinds = []struct {
	name       string
	start      func(t testing.TB) *fileServer
	sourceOnly bool
}{
	{"proftpd", ftpKind(ftptest.Proftpd, ftptest.Options{}, "ftp"), false},
	{"proftpd with explicit TLS", ftpKind(ftptest.Proftpd, ftptest.Options{Security: ftp.Explicit}, "ftpes"), false},
	{"proftpd with implicit TLS", ftpKind(ftptest.Proftpd, ftptest.Options{Security: ftp.Implicit}, "ftps"), false},
	{"vsftpd", ftpKind(ftptest.Vsftpd, ftptest.Options{}, "ftp"), false},
	{"vsftpd with explicit TLS", ftpKind(ftptest.Vsftpd, ftptest.Options{Security: ftp.Explicit}, "ftpes"), true},
	{"sshd", sshKind, false},
}

func ftpKind(start func(testing.TB, ftptest.Options) *ftptest.Server, o ftptest.Options, scheme string) func(testing.TB) *fileServer {
	return func(t testing.TB) *fileServer { return ftpServer(t, start(t, o), scheme) }
}

func ftpServer(t testing.TB, s *ftptest.Server, scheme string) *fileServer {
	t.Helper()
	password := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(password, []byte(ftptest.Password+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	count := func(upload bool) func() (int, int64) {
		return func() (files int, bytes int64) {
			for _, one := range s.Transfers() {
				if one.Upload == upload {
					files, bytes = files+1, bytes+one.Bytes
				}
			}
			return files, bytes
		}
	}
	proxy := startProxy(t, s.Port)
	server := &fileServer{
		disk: s.Disk, url: fmt.Sprintf("%s://%s@127.0.0.1:%d%s", scheme, s.LoginUser(), proxy.port, s.Path), settings: ", password_file: " + password,
		env: []string{"PACKSTONE_REMOTE_PASSWORD_FILE=" + password}, own: s.Own, kill: func() { s.Kill() }, start: s.Start, proxy: proxy, perFile: 90,
		fetched: count(false), stored: count(true), noModes: s.LoginUser() == "anonymous",
	}
	if scheme != "ftp" {
		server.perFile *= 2
		server.settings += ", ca_file: " + s.CAFile()
		server.env = append(server.env, "PACKSTONE_REMOTE_CA_FILE="+s.CAFile())
	}
	return server
}

// sshKind is an OpenSSH server behind a proxy that counts.
func sshKind(t testing.TB) *fileServer {
	s := sftptest.Start(t, "")
	proxy := startProxy(t, s.Port)
	known, err := os.ReadFile(s.KnownHosts)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "known_hosts")
	text := strings.Replace(string(known), fmt.Sprintf("]:%d ", s.Port), fmt.Sprintf("]:%d ", proxy.port), 1)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return &fileServer{
		disk: s.Disk, url: fmt.Sprintf("sftp://%s@127.0.0.1:%d%s", s.Client().User, proxy.port, s.Disk), settings: ", known_hosts: " + file + ", key_file: " + s.KeyFile,
		env: []string{"PACKSTONE_REMOTE_KNOWN_HOSTS=" + file, "PACKSTONE_REMOTE_KEY_FILE=" + s.KeyFile},
		own: func(testing.TB) {}, kill: func() { s.Kill() }, start: s.Restart, proxy: proxy, perFile: 480,
		fetched: func() (int, int64) { return -1, proxy.down.Load() }, stored: func() (int, int64) { return -1, proxy.up.Load() },
	}
}

// countingProxy passes connections on to a port of this machine and counts bytes. It can stop
// before it passes on what a client sends.
type countingProxy struct {
	port     int
	up, down atomic.Int64

	gate    sync.Mutex
	stopAt  int64         // bytes of up; 0: never
	reached chan struct{} // it has stopped
	resume  chan struct{}
}

// stop has the next n bytes of clients pass, and what comes then wait until goOn is called. It says
// on reached that it waits.
func (p *countingProxy) stop(n int64) {
	p.gate.Lock()
	defer p.gate.Unlock()
	p.stopAt = p.up.Load() + n
}

func (p *countingProxy) goOn() { p.resume <- struct{}{} }

// sent counts what a client sent, and waits where the proxy is to stop.
func (p *countingProxy) sent(n int) {
	p.gate.Lock()
	defer p.gate.Unlock()
	if p.stopAt > 0 && p.up.Load() >= p.stopAt {
		p.stopAt = 0
		p.reached <- struct{}{}
		<-p.resume
	}
	p.up.Add(int64(n))
}

func startProxy(t testing.TB, to int) *countingProxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	p := &countingProxy{port: l.Addr().(*net.TCPAddr).Port, reached: make(chan struct{}), resume: make(chan struct{})}
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", to))
			if err != nil {
				client.Close()
				continue
			}
			go pass(server, client, p.sent)
			go pass(client, server, func(n int) { p.down.Add(int64(n)) })
		}
	}()
	return p
}

func pass(to, from net.Conn, count func(int)) {
	defer to.Close()
	defer from.Close()
	buffer := make([]byte, 64<<10)
	for {
		n, err := from.Read(buffer)
		count(n)
		if _, failed := to.Write(buffer[:n]); failed != nil || err != nil {
			return
		}
	}
}

// station is a host with a settings file whose source files is on a server.
type station struct {
	t    *testing.T
	home string
	env  []string
}

func newStation(t *testing.T, from *fileServer) *station {
	t.Helper()
	s := &station{t: t, home: t.TempDir()}
	s.env = []string{"HOME=" + s.home, "PACKSTONE_CONFIG=" + filepath.Join(s.home, "packstone.yaml"), "PACKSTONE_REPOSITORY=" + filepath.Join(s.home, "repository")}
	s.point(from.url, from.settings)
	s.run(0, nil, "init")
	return s
}

// point makes the settings file name a place of the source files.
func (s *station) point(url, settings string) {
	s.t.Helper()
	text := fmt.Sprintf("version: 1\nsources:\n  files: {type: files, url: %q%s, exclude: [\"*.tmp\"]}\nsets:\n  all: {sources: [files]}\n", url, settings)
	if err := os.WriteFile(filepath.Join(s.home, "packstone.yaml"), []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// run runs the program and returns its summary, and what it said besides.
func (s *station) run(want int, env []string, args ...string) (summary map[string]any, stderr string) {
	s.t.Helper()
	code, stdout, stderr := runWith(s.t, append(slices.Clone(s.env), env...), append([]string{"--json"}, args...)...)
	if code != want {
		s.t.Fatalf("%v ends with %d, want %d\n%s%s", args, code, want, tail(stdout), tail(stderr))
	}
	for line := range strings.Lines(stdout) {
		var m map[string]any
		if json.Unmarshal([]byte(line), &m) == nil && m["message_type"] == "summary" {
			summary = m
		}
	}
	return summary, stderr
}

func tail(text string) string { return text[max(0, len(text)-3000):] }

// platformFiles puts uploads of a platform into a directory: n files of up to 64 KiB, and one of a
// few megabytes, none of them new.
func platformFiles(t testing.TB, dir string, n int) {
	t.Helper()
	random := rand.New(rand.NewPCG(7, 7))
	for i := range n {
		folder := filepath.Join(dir, fmt.Sprintf("projekt %d", i/50), fmt.Sprintf("größe-%d", i%7))
		mustMkdir(t, folder)
		content := make([]byte, random.IntN(1<<random.IntN(17)))
		rand.NewChaCha8([32]byte{byte(i), byte(i >> 8)}).Read(content)
		putFile(t, filepath.Join(folder, fmt.Sprintf("f%05d.bin", i)), content, i)
	}
	large := make([]byte, 9<<20)
	rand.NewChaCha8([32]byte{31: 1}).Read(large)
	putFile(t, filepath.Join(dir, "large.bin"), large, n)
	mustMkdir(t, filepath.Join(dir, "empty folder"))
}

func mustMkdir(t testing.TB, dir string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
}

// putFile writes a file that changed i minutes before yesterday. The file appears whole, so that a
// backup that goes on meanwhile does not see it change.
func putFile(t testing.TB, file string, content []byte, i int) {
	t.Helper()
	moment := time.Now().Add(-24 * time.Hour).Add(-time.Duration(i) * time.Minute).Truncate(time.Second)
	aside := filepath.Join(t.TempDir(), filepath.Base(file))
	err := os.WriteFile(aside, content, 0o640)
	if err == nil {
		err = os.Chtimes(aside, moment, moment)
	}
	if err == nil {
		err = os.Rename(aside, file)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// differences compares two trees on disk.
func differences(t testing.TB, a, b string, modes bool) []string {
	t.Helper()
	there, here := describeTree(t, a, modes), describeTree(t, b, modes)
	var all []string
	for path, is := range there {
		if here[path] != is {
			all = append(all, fmt.Sprintf("%s: %s, and %s", path, is, here[path]))
		}
	}
	for path := range here {
		if there[path] == "" {
			all = append(all, path+" is there besides")
		}
	}
	return all
}

func describeTree(t testing.TB, dir string, modes bool) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		is := d.Type().String()
		if modes {
			is += info.Mode().Perm().String()
		}
		if d.Type().IsRegular() {
			content, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			is += fmt.Sprintf(" %d bytes %x %s", len(content), checksum(content), info.ModTime().Format(time.RFC3339))
		}
		all[strings.TrimPrefix(path, dir)] = is
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func checksum(content []byte) (sum uint64) {
	for _, b := range content {
		sum = sum*1099511628211 + uint64(b)
	}
	return sum
}

// eachServer runs a test with a server of each kind, and another of the same kind to restore to,
// nil where that is not done.
func eachServer(t *testing.T, run func(t *testing.T, from, to *fileServer)) {
	for _, kind := range serverKinds {
		t.Run(kind.name, func(t *testing.T) {
			t.Parallel() // they wait for most of their time
			from := kind.start(t)
			if kind.sourceOnly {
				run(t, from, nil)
				return
			}
			run(t, from, kind.start(t))
		})
	}
}

func TestFilesOnAServerAreFetchedOnceAndComeBackOnAnother(t *testing.T) {
	eachServer(t, func(t *testing.T, from, to *fileServer) {
		const n = 300
		platformFiles(t, from.disk, n)
		from.own(t)
		putFile(t, filepath.Join(from.disk, "left out.tmp"), []byte("x"), 1)
		s := newStation(t, from)
		s.twoDays(from, n)
		if err := os.Remove(filepath.Join(from.disk, "left out.tmp")); err != nil {
			t.Fatal(err)
		}
		if to != nil {
			s.toAnother(from, to)
		}
	})
}

// twoDays backs up n files, again with nothing changed, and again after a day's change, and holds
// what was fetched against that.
func (s *station) twoDays(from *fileServer, n int) {
	s.t.Helper()
	summary, _ := s.run(0, nil, "backup", "all")
	if summary["files_new"] != float64(n+1) {
		s.t.Fatalf("the first backup has %v", summary)
	}
	files, _ := from.fetched()
	if files >= 0 && files != n+1 {
		s.t.Errorf("the first backup fetched %d files, want %d", files, n+1)
	}
	_, first := from.fetched()
	summary, _ = s.run(0, nil, "backup", "all")
	again, second := from.fetched()
	if summary["files_unmodified"] != float64(n+1) || summary["bytes_read"] != 0.0 || again > files {
		s.t.Errorf("the second backup fetched %d files and has %v", again-files, summary)
	}
	if listing := second - first; listing > first/10 || files >= 0 && listing > 0 {
		s.t.Errorf("the second backup fetched %d bytes, the first %d", listing, first)
	}
	changed := s.change(from)
	summary, _ = s.run(0, nil, "backup", "all")
	third, bytes := from.fetched()
	if summary["files_changed"] != 2.0 || summary["files_new"] != 1.0 {
		s.t.Errorf("after a day: %v", summary)
	}
	if files >= 0 && (third != again+3 || bytes-second != changed) {
		s.t.Errorf("after a day %d files with %d bytes were fetched, want 3 with %d", third-again, bytes-second, changed)
	}
	if files < 0 && bytes-second > changed+2*(second-first)+8<<10 {
		s.t.Errorf("after a day %d bytes were fetched, want %d and a listing of %d", bytes-second, changed, second-first)
	}
}

// change changes two files, adds one and removes one, and returns the bytes that are to be fetched.
func (s *station) change(from *fileServer) int64 {
	s.t.Helper()
	folder := filepath.Join(from.disk, "projekt 1", "größe-1")
	all, err := os.ReadDir(folder)
	if err != nil || len(all) < 4 {
		s.t.Fatal(len(all), err)
	}
	total := int64(0)
	for i, size := range []int{70_000, 100} {
		content := bytes.Repeat([]byte{byte(i)}, size)
		putFile(s.t, filepath.Join(folder, all[i].Name()), content, -60*(i+1))
		total += int64(size)
	}
	if err := os.Remove(filepath.Join(folder, all[3].Name())); err != nil {
		s.t.Fatal(err)
	}
	putFile(s.t, filepath.Join(folder, "new"), []byte("new"), -60)
	from.own(s.t)
	return total + 3
}

// toAnother restores to another server, again, and after something there has changed.
func (s *station) toAnother(from, to *fileServer) {
	s.t.Helper()
	done := 0
	if to.noModes {
		done = exitMissing
	}
	restore := []string{"restore", "latest", "--to", to.url}
	_, stderr := s.run(done, to.env, restore...)
	if told := strings.Count(stderr, "set permissions on 127.0.0.1"); to.noModes && (told != 1 || strings.Count(stderr, `"message_type":"error"`) != 1) {
		s.t.Errorf("permissions that cannot be set are told %d times: %s", told, tail(stderr))
	}
	at := filepath.Join(to.disk, "files")
	s.same(from.disk, at, to)
	_, before := to.stored()
	summary, _ := s.run(done, to.env, restore...)
	if _, after := to.stored(); summary["files_restored"] != 0.0 || summary["bytes_restored"] != 0.0 || after-before > to.listing(s.t, at) {
		s.t.Errorf("a second restore sent %d bytes and has %v", after-before, summary)
	}
	if err := os.Remove(filepath.Join(at, "large.bin")); err != nil {
		s.t.Fatal(err)
	}
	putFile(s.t, filepath.Join(at, "projekt 2", "more"), []byte("more"), 0)
	to.own(s.t)
	s.run(done, to.env, append(restore, "--delete", "--verify")...)
	s.same(from.disk, at, to)
	s.inPlace(from, to, at)
}

// inPlace restores to where the settings have the source now, which is the other server.
func (s *station) inPlace(from, to *fileServer, at string) {
	s.t.Helper()
	if err := os.RemoveAll(at); err != nil {
		s.t.Fatal(err)
	}
	s.point(to.url+"/files", to.settings)
	done := 0
	if to.noModes {
		done = exitMissing
	}
	_, stderr := s.run(done, nil, "restore", "latest", "--in-place")
	if !strings.Contains(stderr, "was at "+from.url) || !strings.Contains(stderr, "comes back to "+strings.Replace(to.url+"/files", "//files", "/files", 1)) {
		s.t.Errorf("the new place is not told: %s", stderr)
	}
	s.same(from.disk, at, to)
	s.inPlaceAlone(from, to, at, done)
}

// inPlaceAlone restores in place with --delete, which leaves what the settings leave out.
func (s *station) inPlaceAlone(from, to *fileServer, at string, done int) {
	s.t.Helper()
	mustMkdir(s.t, filepath.Join(at, "later", "deep"))
	left := []string{filepath.Join(at, "projekt 2", "left out.tmp"), filepath.Join(at, "later", "deep", "left out.tmp")}
	gone := []string{filepath.Join(at, "projekt 2", "more"), filepath.Join(at, "later", "deep", "more")}
	for i, file := range append(left, gone...) {
		putFile(s.t, file, []byte("more"), i)
	}
	to.own(s.t)
	summary, _ := s.run(done, nil, "restore", "latest", "--in-place", "--delete")
	if summary["files_deleted"] != float64(len(gone)) {
		s.t.Errorf("--delete: %v", summary)
	}
	if there, want := changedAt(s.t, at+"/projekt 2"), changedAt(s.t, from.disk+"/projekt 2"); !to.noModes && !there.Equal(want) {
		s.t.Errorf("a folder in which something was removed changed at %v, want %v", there, want)
	}
	for _, file := range left {
		if err := os.Remove(file); err != nil {
			s.t.Errorf("what is left out of backups is gone: %v", err)
		}
	}
	if err := os.RemoveAll(filepath.Join(at, "later")); err != nil {
		s.t.Fatal(err)
	}
	s.same(from.disk, at, to)
}

// changedAt is the time of a file or folder, to the second.
func changedAt(t testing.TB, file string) time.Time {
	t.Helper()
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	return info.ModTime().Truncate(time.Second)
}

// listing is what may be sent to list a directory: nothing where files alone are counted, else some
// requests for each folder.
func (f *fileServer) listing(t testing.TB, dir string) (bytes int64) {
	if files, _ := f.stored(); files >= 0 {
		return 0
	}
	for _, is := range describeTree(t, dir, false) {
		if strings.HasPrefix(is, "d") {
			bytes += 800
		}
	}
	return bytes + 16<<10
}

func TestASecondRestoreByFTPAsksForListingsAlone(t *testing.T) {
	for _, kind := range serverKinds {
		if !strings.HasSuffix(kind.name, "ftpd") {
			continue // what is said is not to be read
		}
		t.Run(kind.name, func(t *testing.T) {
			const n = 200
			from, to := kind.start(t), kind.start(t)
			platformFiles(t, from.disk, n)
			from.own(t)
			s := newStation(t, from)
			s.run(0, nil, "backup", "all")
			done := map[bool]int{true: exitMissing}[to.noModes]
			restore := []string{"restore", "latest", "--to", to.url}
			s.run(done, to.env, restore...)
			first := to.proxy.up.Load()
			summary, _ := s.run(done, to.env, restore...)
			second := to.proxy.up.Load() - first
			t.Logf("commands: %d bytes, and %d of the second restore", first, second)
			folders := len(describeTree(t, from.disk, false)) - n - 1
			most := int64(folders*150 + 1000)
			if to.noModes { // nor does it tell times but file by file
				most += n * 60
			}
			if summary["files_skipped"] != float64(n+2+folders) || second > most {
				t.Errorf("the second restore's commands have %d bytes, want %d at most; %v", second, most, summary)
			}
		})
	}
}

func (s *station) same(a, b string, to *fileServer) {
	s.t.Helper()
	if found := differences(s.t, a, b, !to.noModes); len(found) > 0 {
		s.t.Errorf("%d differences: %s", len(found), strings.Join(found[:min(5, len(found))], "\n"))
	}
}

func TestABackupAndARestoreOutliveServersThatAreKilledAndStartedAgain(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a while")
	}
	eachServer(t, func(t *testing.T, from, to *fileServer) {
		platformFiles(t, from.disk, 600)
		from.own(t)
		newStation(t, from).outlive(from, to, 600)
	})
}

// outlive kills the one server while it is listed and n files are read, and the other while it is
// listed and they are written.
func (s *station) outlive(from, to *fileServer, n int64) {
	s.t.Helper()
	s.whileKilling(from, from.whileTransferring(n), 0, nil, "backup", "all")
	s.whileKilling(from, from.whileListing(n), 0, nil, "backup", "all")
	if to == nil {
		return
	}
	done := 0
	if to.noModes {
		done = exitMissing
	}
	s.whileKilling(to, to.whileTransferring(n), done, to.env, "restore", "latest", "--to", to.url)
	s.same(from.disk, filepath.Join(to.disk, "files"), to)
	s.whileKilling(to, to.whileListing(n), done, to.env, "restore", "latest", "--to", to.url)
	s.same(from.disk, filepath.Join(to.disk, "files"), to)
}

// whileListing and whileTransferring are when a server of n files is killed: after how many bytes
// of a client, and after how many more the next time.
func (f *fileServer) whileListing(n int64) []int64 { return []int64{f.perFile * n / 30} }

func (f *fileServer) whileTransferring(n int64) []int64 {
	tenth := f.perFile * n / 10
	return []int64{tenth / 3, tenth, tenth, tenth, tenth}
}

// whileKilling runs the program, and kills the server and starts it again at each of some points.
// The program must end with want.
func (s *station) whileKilling(server *fileServer, points []int64, want int, env []string, args ...string) {
	s.t.Helper()
	server.proxy.stop(points[0])
	ended := make(chan string, 1)
	go func() {
		code, stdout, stderr := runWith(s.t, append(slices.Clone(s.env), env...), append([]string{"--json"}, args...)...)
		ended <- map[bool]string{false: fmt.Sprintf("%v ends with %d, want %d\n%s%s", args, code, want, tail(stdout), tail(stderr))}[code == want]
	}()
	for killed := 0; ; {
		select {
		case failure := <-ended:
			if failure != "" || killed < len(points) {
				s.t.Fatalf("%v: the server was killed %d times, want %d; %s", args[0], killed, len(points), failure)
			}
			return
		case <-server.proxy.reached:
			server.kill()
			server.start(s.t)
			if killed++; killed < len(points) {
				server.proxy.stopAt = server.proxy.up.Load() + points[killed] // whoever waits holds the gate
			}
			server.proxy.goOn()
		}
	}
}
