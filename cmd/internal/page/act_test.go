package page

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/packstone/packstone/cmd/internal/daemon"
	"github.com/packstone/packstone/cmd/internal/output"
	"github.com/packstone/packstone/cmd/internal/room"
)

// stage is a world whose page acts: its restores write one file, and end when they are let go.
type stage struct {
	*world
	dir    string // of scratch places
	free   uint64
	begun  chan Wanted // a restore writes
	let    chan error  // how it ends
	mu     sync.Mutex
	said   []Act
	asked  []string // of the daemon
	refuse error    // what the daemon says
}

const token = "a token of many characters"

var asToken = Guard{Token: token}

func newStage(t *testing.T, guard Guard) *stage {
	t.Helper()
	s := &stage{world: newWorld(t, guard), dir: filepath.Join(t.TempDir(), "scratch"), free: 1 << 30, begun: make(chan Wanted), let: make(chan error)}
	source := s.source()
	source.Scratch = &Scratch{Directory: func() string { return s.dir }, Restore: s.restore, Free: func(string) (uint64, error) { return s.free, nil }, Now: time.Now}
	source.Work = func() daemon.Work {
		return daemon.Work{
			Jobs:   []daemon.Coming{{Name: "backup platform", Kind: "backup"}, {Name: "check", Next: time.Now(), By: "<b>bold</b>"}},
			AtWork: &daemon.AtWork{Name: "backup platform", Why: "schedule", Began: time.Now(), By: "<b>bold</b>"},
		}
	}
	source.Live = func() daemon.Live {
		return daemon.Live{Counts: output.Counts{FilesDone: 1, TotalFiles: 2, Current: []string{hostileName}}, Log: "<b>bold</b>"}
	}
	source.Start = func(job, by string) error { return s.ask("start " + job + " for " + by) }
	source.Stop = func(job, by string) error { return s.ask("stop " + job + " for " + by) }
	source.Say = func(a Act) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.said = append(s.said, a)
	}
	s.Page = New(source, guard)
	t.Cleanup(source.Scratch.Close)
	return s
}

func (s *stage) ask(what string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, what)
	return s.refuse
}

func (s *stage) restore(ctx context.Context, w Wanted, follow func(func() daemon.Live)) (Restored, error) {
	if w.Plan {
		return Restored{Entries: 1, Bytes: 7, Need: 1 << 20}, nil
	}
	follow(func() daemon.Live { return daemon.Live{Counts: output.Counts{BytesDone: 3}} })
	if err := os.WriteFile(filepath.Join(w.Into, "half"), []byte("hal"), 0o600); err != nil {
		return Restored{}, err
	}
	select {
	case s.begun <- w:
	case <-ctx.Done():
		return Restored{}, ctx.Err()
	}
	select {
	case err := <-s.let:
		return Restored{Entries: 1, Bytes: 7}, err
	case <-ctx.Done():
		return Restored{}, ctx.Err()
	}
}

// post is what a program with the token sends.
func (s *stage) post(name string, parameters ...string) *httptest.ResponseRecorder {
	s.t.Helper()
	q := url.Values{}
	for i := 0; i+1 < len(parameters); i += 2 {
		q.Set(parameters[i], parameters[i+1])
	}
	r := s.request(http.MethodPost, apiPrefix+name, q)
	r.Header.Set("Authorization", "Bearer "+token)
	return s.do(r)
}

// seen is what a program reads of scratch places.
type seen struct {
	Latest *struct {
		State, Message string
		BytesDone      int64 `json:"bytes_done"`
		BytesTotal     int64 `json:"bytes_total"`
		Percent        int
	}
	Places []struct {
		Place, Path, What string
		Bytes             int64
	}
}

// state is what the JSON says of scratch places.
func (s *stage) state() *seen {
	s.t.Helper()
	r := s.request(http.MethodGet, apiPrefix+"restore", nil)
	r.Header.Set("Authorization", "Bearer "+token)
	var shown struct{ Scratch *seen }
	answer := s.do(r)
	if err := json.Unmarshal(answer.Body.Bytes(), &shown); err != nil || shown.Scratch == nil {
		s.t.Fatalf("%v: %s", err, answer.Body)
	}
	return shown.Scratch
}

// ended waits until no restore is at work.
func (s *stage) ended() *seen {
	s.t.Helper()
	s.Scratch.working.Wait()
	return s.state()
}

func (s *stage) rooms() []string {
	s.t.Helper()
	entries, err := os.ReadDir(s.dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		s.t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// start begins a restore, and returns when it writes.
func (s *stage) start() Wanted {
	s.t.Helper()
	if answer := s.post("restore", "id", s.ids[0], "source", "files", "path", "notes"); answer.Code != http.StatusAccepted {
		s.t.Fatalf("%d: %s", answer.Code, answer.Body)
	}
	return <-s.begun
}

func TestARestoreGoesIntoAFreshScratchPlaceAndIsRemovedAgain(t *testing.T) {
	s := newStage(t, asToken)
	w := s.start()
	if filepath.Dir(filepath.Dir(w.Into)) != s.dir || w.Place.Snapshot != s.ids[0] || w.Place.Source != "files" || w.Place.Path != "notes" || !w.Keys.Own {
		t.Errorf("wanted %+v", w)
	}
	if at := s.state().Latest; at == nil || at.State != writing || at.BytesDone != 3 || at.BytesTotal != 7 || at.Percent != 42 {
		t.Errorf("at work: %+v", at)
	}
	s.let <- nil
	state := s.ended()
	if state.Latest.State != isDone || len(state.Places) != 1 || state.Places[0].Bytes != 7 || state.Places[0].Path != w.Into || state.Places[0].What != "files/notes" {
		t.Fatalf("%+v", state)
	}
	if answer := s.post("restore/remove", "place", state.Places[0].Place); answer.Code != http.StatusAccepted {
		t.Errorf("remove: %d: %s", answer.Code, answer.Body)
	}
	if left := s.rooms(); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
	if want := "a holder of the token from 127.0.0.1"; len(s.said) != 2 || s.said[0].By != want || !strings.HasPrefix(s.said[0].What, "restores "+s.ids[0][:12]+":files/notes") || !strings.HasPrefix(s.said[1].What, "removes") {
		t.Errorf("the log was told %q", s.said)
	}
}

func TestTwoRestoresAtOnceAreRefused(t *testing.T) {
	s := newStage(t, asToken)
	s.start()
	if answer := s.post("restore", "id", s.ids[0]); answer.Code != http.StatusConflict || !strings.Contains(answer.Body.String(), "is at work") {
		t.Errorf("the second: %d: %s", answer.Code, answer.Body)
	}
	s.let <- nil
	if state := s.ended(); len(state.Places) != 1 {
		t.Errorf("%+v", state)
	}
	s.start() // the next may
	s.let <- nil
	if state := s.ended(); len(state.Places) != 2 {
		t.Errorf("%+v", state)
	}
}

func TestAStoppedRestoreLeavesNothing(t *testing.T) {
	s := newStage(t, asToken)
	if answer := s.post("restore/stop"); answer.Code != http.StatusConflict {
		t.Errorf("nothing to stop: %d", answer.Code)
	}
	s.start()
	if answer := s.post("restore/stop"); answer.Code != http.StatusAccepted {
		t.Errorf("%d: %s", answer.Code, answer.Body)
	}
	if state := s.ended(); state.Latest.State != wasStopped || !strings.Contains(state.Latest.Message, "stopped by a holder of the token") || len(state.Places) > 0 || len(s.rooms()) > 0 {
		t.Errorf("%+v, left %v", state.Latest, s.rooms())
	}
}

func TestWhatCannotBeRemovedIsSaid(t *testing.T) {
	s := newStage(t, asToken)
	s.Scratch.GiveBack = func(room.Database) error { return errors.New("no route") }
	w := s.start()
	if err := w.Borrow(room.Database{Source: "shop", Name: "shop_1"}); err != nil {
		t.Fatal(err)
	}
	s.let <- errors.New("no way")
	if m := s.ended().Latest.Message; !strings.Contains(m, "no way") || !strings.Contains(m, "is still there") || !strings.Contains(m, "no route") || strings.Contains(m, "nothing of it") {
		t.Errorf("%q", m)
	}
	for _, name := range s.rooms() { // as when the daemon begins anew
		s.Scratch.GiveBack = func(room.Database) error { return nil }
		if removed, err := s.Scratch.Sweep(); err != nil || len(removed) != 1 || filepath.Base(removed[0]) != name {
			t.Errorf("swept %v, %v", removed, err)
		}
	}
}

func TestTheEndOfTheDaemonLeavesNothingHalfWritten(t *testing.T) {
	s := newStage(t, asToken)
	s.start()
	s.Scratch.Close()
	if left := s.rooms(); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
	if answer := s.post("restore", "id", s.ids[0]); answer.Code != http.StatusServiceUnavailable {
		t.Errorf("afterwards: %d: %s", answer.Code, answer.Body)
	}
}

func TestAFullDiskIsSaidPlainly(t *testing.T) {
	s := newStage(t, asToken)
	s.free = 1 << 20 // of which a tenth stays free
	if answer := s.post("restore", "id", s.ids[0]); answer.Code != http.StatusAccepted {
		t.Fatalf("%d: %s", answer.Code, answer.Body)
	}
	state := s.ended()
	if m := state.Latest.Message; state.Latest.State != hasFailed || !strings.Contains(m, "takes up to 1.00 MiB") || !strings.Contains(m, "make room") || len(s.rooms()) > 0 {
		t.Errorf("%q, left %v", m, s.rooms())
	}
	s.free = 1 << 30
	s.start()
	s.let <- &os.PathError{Op: "write", Path: "half", Err: syscall.ENOSPC} // somebody else was faster
	state = s.ended()
	if m := state.Latest.Message; state.Latest.State != hasFailed || !strings.Contains(m, "no space left") || !strings.Contains(m, "nothing of it is left") || len(s.rooms()) > 0 {
		t.Errorf("%q, left %v", m, s.rooms())
	}
}

func TestWithoutASettingNothingIsRestoredHere(t *testing.T) {
	s := newStage(t, asToken)
	s.dir = ""
	for _, name := range []string{"restore", "restore/remove"} {
		if answer := s.post(name, "id", s.ids[0], "place", "restored-20260101-000000-aaaaaa"); answer.Code != http.StatusConflict || !strings.Contains(answer.Body.String(), "serve.scratch") {
			t.Errorf("%s: %d: %s", name, answer.Code, answer.Body)
		}
	}
	if body := s.do(s.bearing(http.MethodGet, "/restore", nil)).Body.String(); strings.Contains(body, "formmethod") || !strings.Contains(body, "scratch: DIRECTORY") {
		t.Error("the page offers what it cannot do")
	}
}

func (s *stage) bearing(method, target string, form url.Values) *http.Request {
	r := s.request(method, target, form)
	r.Header.Set("Authorization", "Bearer "+token)
	return r
}

func TestPathTricksRestoreAndRemoveNothing(t *testing.T) {
	s := newStage(t, asToken)
	for _, trick := range [][]string{
		{"source", "files", "path", "../../etc"}, {"source", "files", "path", "notes/../.."}, {"source", "../files"}, {"source", "files", "path", "notes\x00"}, {"source", "files", "path", "gone"}, {"id", "../../x"}, {"id", ""},
	} {
		if answer := s.post("restore", append([]string{"id", s.ids[0]}, trick...)...); answer.Code < 400 || answer.Code >= 500 {
			t.Errorf("restore %q: %d: %s", trick, answer.Code, answer.Body)
		}
	}
	outside := filepath.Join(s.dir, "..", "restored-20260101-000000-aaaaaa")
	if err := os.Mkdir(outside, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"", ".", "..", "../" + filepath.Base(outside), outside, "/etc", "restored-20260101-000000-aaaaaa/..", "restored-20260101-000000-aaaaaa\x00"} {
		if answer := s.post("restore/remove", "place", name); answer.Code != http.StatusNotFound {
			t.Errorf("remove %q: %d: %s", name, answer.Code, answer.Body)
		}
	}
	if _, err := os.Stat(outside); err != nil || len(s.rooms()) > 0 || len(s.said) > 0 {
		t.Errorf("%v, rooms %v, told %v", err, s.rooms(), s.said)
	}
}

func TestJobsAreStartedAndStoppedByThoseWhoHaveShownWhoTheyAre(t *testing.T) {
	s := newStage(t, asToken)
	for _, name := range []string{"jobs/start", "jobs/stop"} {
		if answer := s.post(name, "job", "check"); answer.Code != http.StatusAccepted {
			t.Errorf("%s: %d: %s", name, answer.Code, answer.Body)
		}
	}
	if want := []string{"start check for a holder of the token from 127.0.0.1", "stop check for a holder of the token from 127.0.0.1"}; strings.Join(s.asked, ";") != strings.Join(want, ";") {
		t.Errorf("asked %q", s.asked)
	}
	for refusal, code := range map[error]int{daemon.ErrNoJob: 404, daemon.ErrAtWork: 409, daemon.ErrWaits: 409, daemon.ErrNotAtWork: 409, daemon.ErrStopping: 409} {
		s.refuse = refusal
		if answer := s.post("jobs/start", "job", "check"); answer.Code != code || !strings.Contains(answer.Body.String(), refusal.Error()) {
			t.Errorf("%v: %d: %s", refusal, answer.Code, answer.Body)
		}
	}
	if len(s.said) != 2 {
		t.Errorf("refused acts were told: %v", s.said)
	}
	open := newStage(t, Guard{})
	r := open.request(http.MethodPost, "/jobs/start", url.Values{"job": {"check"}})
	r.Header.Set("Origin", "http://localhost")
	if answer := open.do(r); answer.Code != http.StatusForbidden || len(open.asked) > 0 {
		t.Errorf("somebody at this machine: %d, %v", answer.Code, open.asked)
	}
	if body := open.get("/jobs").Body.String(); strings.Contains(body, "/jobs/start") || strings.Contains(body, "bold") || strings.Contains(body, "script&gt;alert(1)") {
		t.Error("what is sealed, or not allowed, is shown to somebody at this machine")
	}
}

func TestActsNeedTheTokenAndOurOrigin(t *testing.T) {
	s := newStage(t, asToken)
	login := s.do(s.request(http.MethodPost, "/login", url.Values{"token": {token}}))
	cookie := login.Result().Cookies()[0]
	for _, a := range acts {
		for _, path := range []string{"/" + a.name, apiPrefix + a.name} {
			form := url.Values{"id": {s.ids[0]}, "job": {"check"}, "place": {"restored-20260101-000000-aaaaaa"}}
			wrong := s.request(http.MethodPost, path, form)
			wrong.Header.Set("Authorization", "Bearer wrong wrong wrong wrong")
			nobody := s.request(http.MethodPost, path, form)
			for _, r := range []*http.Request{wrong, nobody} {
				if answer := s.do(r); answer.Code != http.StatusUnauthorized {
					t.Errorf("POST %s without the token: %d", path, answer.Code)
				}
			}
			for _, header := range [][2]string{{"", ""}, {"Origin", "http://evil.example"}, {"Origin", "null"}, {"Origin", "http://localhost.evil.example"}, {"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Sec-Fetch-Site", "none"}} {
				r := s.request(http.MethodPost, path, form)
				r.AddCookie(cookie)
				if header[0] != "" {
					r.Header.Set(header[0], header[1])
				}
				if answer := s.do(r); answer.Code != http.StatusForbidden {
					t.Errorf("POST %s with the cookie and %v: %d", path, header, answer.Code)
				}
			}
			if answer := s.do(s.bearing(http.MethodGet, path+"?"+form.Encode(), nil)); a.name != "restore" && answer.Code < 400 {
				t.Errorf("GET %s: %d", path, answer.Code)
			}
		}
	}
	if len(s.asked)+len(s.said)+len(s.rooms()) > 0 {
		t.Errorf("done all the same: %v, %v, %v", s.asked, s.said, s.rooms())
	}
	r := s.request(http.MethodPost, "/jobs/start", url.Values{"job": {"check"}})
	r.AddCookie(cookie)
	r.Header.Set("Origin", "http://localhost")
	if answer := s.do(r); answer.Code != http.StatusSeeOther || len(s.asked) != 1 {
		t.Errorf("from the page itself: %d, %v", answer.Code, s.asked)
	}
}

func TestTheLogNamesWhomTheProxyNames(t *testing.T) {
	s := newStage(t, Guard{Header: "X-User", Proxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}})
	r := s.request(http.MethodPost, "/jobs/start", url.Values{"job": {"check"}})
	r.Header.Set("X-User", "anna\x1b[31m")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	if answer := s.do(r); answer.Code != http.StatusSeeOther || len(s.said) != 1 || strings.Contains(s.said[0].By, "\x1b") || !strings.Contains(s.said[0].By, "anna") || !strings.HasSuffix(s.said[0].By, "(X-User) from 127.0.0.1") {
		t.Errorf("%d: %q", answer.Code, s.said)
	}
}

func TestRestoringNeedsAnIdentity(t *testing.T) {
	s := newStage(t, Guard{})
	for _, a := range acts[:3] {
		r := s.request(http.MethodPost, apiPrefix+a.name, url.Values{"id": {s.ids[0]}})
		r.Header.Set("Origin", "http://localhost")
		if answer := s.do(r); answer.Code != http.StatusForbidden || !strings.Contains(answer.Body.String(), "needs an identity") {
			t.Errorf("%s: %d: %s", a.name, answer.Code, answer.Body)
		}
	}
	unlocked := s.do(s.request(http.MethodPost, "/unlock", url.Values{"identity": {s.secret}}))
	r := s.request(http.MethodPost, "/restore", url.Values{"id": {s.ids[0]}})
	r.Header.Set("Origin", "http://localhost")
	r.AddCookie(unlocked.Result().Cookies()[0])
	if answer := s.do(r); answer.Code != http.StatusSeeOther {
		t.Fatalf("with an identity: %d: %s", answer.Code, answer.Body)
	}
	if w := <-s.begun; w.Keys.Lent == nil || w.Keys.Own {
		t.Error("it is not restored with the identity that was lent")
	}
	s.let <- nil
}

func TestWhatIsAtWorkIsShownAsText(t *testing.T) {
	s := newStage(t, asToken)
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	r, err := room.New(s.dir, room.Note{By: "<b>bold</b>", Snapshot: s.ids[0], Set: hostileName, Source: "files", Path: "notes/" + hostileName, Began: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	note := r.Note
	note.Ended, note.Missing = time.Now(), "<b>bold</b>"
	if err := r.Finish(note); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{"/jobs": "&lt;b&gt;bold", "/restore": "&lt;script&gt;alert(1)"} {
		body := s.do(s.bearing(http.MethodGet, path, nil)).Body.String()
		if strings.Contains(body, "<b>bold") || strings.Contains(body, "<script>alert") || !strings.Contains(body, want) {
			t.Errorf("%s does not show it as text", path)
		}
	}
}
