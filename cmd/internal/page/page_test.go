package page

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"filippo.io/age"

	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/archive/store/memory"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/retention"
	"github.com/packstone/packstone/cmd/internal/health"
	"github.com/packstone/packstone/cmd/internal/history"
	"github.com/packstone/packstone/cmd/internal/metrics"
	"github.com/packstone/packstone/crypto"
	"github.com/packstone/packstone/pipeline/backup"
	"github.com/packstone/packstone/pipeline/browse"
	"github.com/packstone/packstone/pipeline/check"
	"github.com/packstone/packstone/pipeline/source"
	"github.com/packstone/packstone/pipeline/source/files"
)

// world is a repository with two snapshots, and the page of it.
type world struct {
	t        testing.TB
	dir      string // what is backed up
	store    store.Store
	writer   *crypto.WriterFile
	identity *crypto.IdentityFile
	secret   string // the identity as a person types it
	now      time.Time
	cache    string // "": nothing is kept of what was read
	clock    func() time.Time
	ids      []string // of the snapshots
	*Page
}

const (
	hostileName = "<script>alert(1)</script>.html"
	hostileText = "<img src=x onerror=alert(2)>\n"
)

// newBareWorld is a repository without snapshots.
func newBareWorld(t testing.TB, guard Guard) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir(), store: memory.New(), now: time.Now()}
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	w.secret, w.identity = identity.String(), &crypto.IdentityFile{Identities: []age.Identity{identity}}
	w.writer, err = catalog.Init(t.Context(), w.store, w.signer("owner"), w.signer("host"), []age.Recipient{identity.Recipient()}, nil, catalog.Options{})
	if err != nil {
		t.Fatal(err)
	}
	w.Page = New(w.source(), guard)
	t.Cleanup(w.check)
	return w
}

func newWorld(t testing.TB, guard Guard) *world {
	t.Helper()
	w := newBareWorld(t, guard)
	w.write("notes/readme.txt", "one\ntwo\nthree\n")
	w.write("notes/"+hostileName, hostileText)
	w.write("notes/\u202egpj.exe", "MZ\x00")
	w.write("pictures/dot.gif", "GIF89a\x01\x00\x01\x00\x80\x00\x00\xff\xff\xff\x00\x00\x00!\xf9\x04\x01\x00\x00\x00\x00,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;")
	w.write("pictures/drawing.svg", "<svg xmlns='http://www.w3.org/2000/svg'><script>alert(3)</script></svg>")
	w.backup()
	w.write("notes/readme.txt", "one\n2\nthree\nfour\n")
	w.backup()
	return w
}

func (w *world) signer(name string) crypto.Signer {
	w.t.Helper()
	s, err := crypto.GenerateSigner(name)
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

func (w *world) write(name, text string) {
	w.t.Helper()
	path := filepath.Join(w.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) open(keys catalog.Keys) (*catalog.Repository, error) {
	keys.Writer, keys.Pins.Owners = w.writer, []crypto.OwnerPin{{Repository: w.writer.Repository, Owner: w.writer.Owner}}
	return catalog.Open(context.Background(), w.store, catalog.Options{Keys: keys, CacheDir: w.cache, Now: w.clock})
}

// backup takes the folder of the world.
func (w *world) backup() {
	w.t.Helper()
	folder, err := files.New(files.Options{Roots: []string{w.dir}})
	if err != nil {
		w.t.Fatal(err)
	}
	w.take("platform", folder)
}

// take backs up a source as a set.
func (w *world) take(set string, of source.Source) {
	w.t.Helper()
	repo, err := w.open(catalog.Keys{})
	if err != nil {
		w.t.Fatal(err)
	}
	w.takeInto(repo, set, of)
}

func (w *world) takeInto(repo *catalog.Repository, set string, of source.Source) {
	w.t.Helper()
	s, err := backup.Run(w.t.Context(), repo, backup.Options{Set: set, Host: "host", Jobs: []backup.Job{{
		Name: "files", Type: "files", Location: "here", Open: func(context.Context) (source.Source, error) { return of, nil },
	}}})
	if err != nil {
		w.t.Fatal(err)
	}
	w.ids = append(w.ids, s.ID.String())
}

func (w *world) check() {
	repo, err := w.open(catalog.Keys{Identities: w.identity})
	if err != nil {
		w.t.Fatal(err)
	}
	report, err := check.Run(context.Background(), repo, check.Options{ReadData: true})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, f := range report.Findings {
		w.t.Errorf("check: %s: %v", f.Object, f.Err)
	}
}

func (w *world) source() Source {
	return Source{
		Host: "host", Version: "test",
		Repositories: func() []string { return []string{""} },
		Open: func(_ context.Context, _ string, keys Keys) (*catalog.Repository, error) {
			switch {
			case keys.Lent != nil:
				return w.open(catalog.Keys{Identities: keys.Lent})
			case keys.Own:
				return w.open(catalog.Keys{Identities: w.identity})
			}
			return w.open(catalog.Keys{})
		},
		Facts: func() metrics.Facts { return metrics.Facts{} },
		Sets: func(*browse.Status) []health.Set {
			return []health.Set{health.Judge(health.Set{Name: "platform", Host: "host", Newest: w.now, MaxAge: time.Hour}, w.now), {Name: "late", Host: "host", State: health.Late, Cause: "it is late"}}
		},
		Runs: func(int) ([]history.Run, error) {
			return []history.Run{{Job: "backup platform", Kind: "backup", Run: health.Run{Start: w.now, Outcome: health.Done}, Log: "warning: <b>bold</b>"}}, nil
		},
		Policies: func() (map[string]retention.Policy, error) {
			return map[string]retention.Policy{"platform": {Last: 1}}, nil
		},
		Aside: w.t.TempDir,
		Now:   func() time.Time { return w.now },
	}
}

// request is one that a browser on this machine makes.
func (w *world) request(method, target string, form url.Values) *http.Request {
	r := httptest.NewRequest(method, "http://localhost"+target, strings.NewReader(form.Encode()))
	r.RemoteAddr = "127.0.0.1:5000"
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	return r
}

func (w *world) do(r *http.Request) *httptest.ResponseRecorder {
	w.t.Helper()
	answer := httptest.NewRecorder()
	w.ServeHTTP(answer, r)
	return answer
}

func (w *world) get(target string) *httptest.ResponseRecorder {
	w.t.Helper()
	return w.do(w.request(http.MethodGet, target, nil))
}

// at is an address with a place in the last snapshot.
func (w *world) at(path, place string, more ...string) string {
	q := url.Values{"id": {w.ids[len(w.ids)-1]}, "source": {"files"}, "path": {place}}
	for i := 0; i+1 < len(more); i += 2 {
		q.Set(more[i], more[i+1])
	}
	return path + "?" + q.Encode()
}

// trusted is a guard behind which the page uses the host's identity.
var trusted = Guard{Socket: true}

func TestEveryPageAnswersAsHTMLAndAsJSON(t *testing.T) {
	w := newWorld(t, trusted)
	files := w.ids
	w.takeDatabase(shop(order(1, "one")))
	ofTable := w.ofShop("", "table", "orders")
	w.ids = files
	parameters := map[string]string{
		"table":    ofTable,
		"snapshot": "?id=" + w.ids[0], "file": w.at("", "notes/readme.txt"), "versions": w.at("", "notes/readme.txt"), "search": "?q=readme&all=yes",
		"compare": "?before=" + w.ids[0] + "&after=" + w.ids[1],
	}
	for _, l := range looks {
		path := strings.TrimSuffix(l.path, "{$}") + parameters[l.name]
		answer := w.get(path)
		if answer.Code != http.StatusOK || !strings.Contains(answer.Body.String(), "</html>") {
			t.Errorf("%s: %d: %s", path, answer.Code, answer.Body)
		}
		if csp := answer.Header().Get("Content-Security-Policy"); !strings.HasPrefix(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") {
			t.Errorf("%s: its policy is %q", path, csp)
		}
		if body := answer.Body.String(); strings.Contains(body, " style=") || strings.Contains(body, "<style") || strings.Contains(body, " onclick=") {
			t.Errorf("%s: has styles or scripts that its policy forbids", path)
		}
		answer = w.get(apiPrefix + l.name + parameters[l.name])
		if answer.Code != http.StatusOK || !json.Valid(answer.Body.Bytes()) || answer.Header().Get("Content-Type") != "application/json" {
			t.Errorf("%s as JSON: %d: %s", l.name, answer.Code, answer.Body)
		}
	}
}

func TestTheOverviewSaysWhatIsWrong(t *testing.T) {
	w := newWorld(t, trusted)
	body := w.get("/").Body.String()
	for _, want := range []string{"1 of 2 sets protected", "it is late", "state protected", "state late"} {
		if !strings.Contains(body, want) {
			t.Errorf("the overview lacks %q", want)
		}
	}
}

func TestTheTimelineSaysWhatRetentionWillDo(t *testing.T) {
	w := newWorld(t, trusted)
	w.now = time.Now().AddDate(0, 0, 30) // beyond the floor
	var shown struct {
		Kept, Going int
		Snapshots   []struct{ Going bool }
	}
	if err := json.Unmarshal(w.get(apiPrefix+"timeline?set=platform&host=host").Body.Bytes(), &shown); err != nil {
		t.Fatal(err)
	}
	if shown.Kept != 1 || shown.Going != 1 || len(shown.Snapshots) != 2 || shown.Snapshots[0].Going || !shown.Snapshots[1].Going {
		t.Errorf("got %+v, want the older of two to be forgotten", shown)
	}
}

func TestWithoutAnIdentityNothingSealedIsShown(t *testing.T) {
	w := newWorld(t, Guard{})
	for _, path := range []string{"/timeline", "/storage", "/jobs"} {
		body := w.get(path).Body.String()
		if strings.Contains(body, "readme") || strings.Contains(body, "bold") || path == "/timeline" && strings.Contains(body, ">platform<") {
			t.Errorf("%s shows what is sealed", path)
		}
	}
	if body := w.get("/timeline").Body.String(); !strings.Contains(body, "Shown without an identity") || !strings.Contains(body, w.ids[0][:12]) {
		t.Errorf("the timeline does not say that it lacks an identity, or lacks the snapshots' ids: %s", body)
	}
	for _, path := range []string{"/browse", w.at("/file", "notes/readme.txt"), w.at("/download", "notes/readme.txt", "as", "file"), "/search?q=readme", "/drills"} {
		if answer := w.get(path); answer.Code != http.StatusSeeOther || !strings.HasPrefix(answer.Header().Get("Location"), "/unlock?") {
			t.Errorf("%s: %d to %q, want the form for an identity", path, answer.Code, answer.Header().Get("Location"))
		}
	}
	if answer := w.get(apiPrefix + "browse"); answer.Code != http.StatusForbidden {
		t.Errorf("the API: %d, want 403", answer.Code)
	}
}

func TestAnIdentityIsHeldForOneBrowserAndForgotten(t *testing.T) {
	w := newWorld(t, Guard{})
	other, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	for _, wrong := range []string{other.String(), "nonsense", ""} {
		if answer := w.do(w.request(http.MethodPost, "/unlock", url.Values{"identity": {wrong}})); answer.Code != http.StatusForbidden || len(answer.Result().Cookies()) > 0 {
			t.Errorf("identity %q: %d", wrong, answer.Code)
		}
	}
	answer := w.do(w.request(http.MethodPost, "/unlock", url.Values{"identity": {w.secret}, "next": {"/browse"}}))
	cookies := answer.Result().Cookies()
	if answer.Code != http.StatusSeeOther || answer.Header().Get("Location") != "/browse" || len(cookies) != 1 {
		t.Fatalf("the right identity: %d, %s", answer.Code, answer.Body)
	}
	if c := cookies[0]; !c.HttpOnly || c.SameSite != http.SameSiteStrictMode {
		t.Errorf("the cookie is %v", c)
	}
	if strings.Contains(answer.Body.String(), w.secret) {
		t.Error("the answer has the identity in it")
	}
	browse := func() int {
		r := w.request(http.MethodGet, "/browse", nil)
		r.AddCookie(cookies[0])
		return w.do(r).Code
	}
	if code := browse(); code != http.StatusOK {
		t.Errorf("with the identity: %d", code)
	}
	if code := w.get("/browse").Code; code != http.StatusSeeOther {
		t.Errorf("another browser: %d, want to be asked for an identity", code)
	}
	w.now = w.now.Add(idleIdentity + time.Second)
	if code := browse(); code != http.StatusSeeOther {
		t.Errorf("after %v: %d, want to be asked again", idleIdentity, code)
	}
}

func TestATokenIsNeededWhereThereIsOne(t *testing.T) {
	const token = "a token of many characters"
	w := newWorld(t, Guard{Token: token})
	if answer := w.get("/timeline?set=a"); answer.Code != http.StatusSeeOther || answer.Header().Get("Location") != "/login?next=%2Ftimeline%3Fset%3Da" {
		t.Errorf("without the token: %d to %s", answer.Code, answer.Header().Get("Location"))
	}
	for _, header := range []string{"", "Bearer", "Bearer ", "Bearer wrong", "Basic " + token, "bearer" + token} {
		r := w.request(http.MethodGet, apiPrefix+"overview", nil)
		r.Header.Set("Authorization", header)
		if answer := w.do(r); answer.Code != http.StatusUnauthorized {
			t.Errorf("with %q: %d", header, answer.Code)
		}
	}
	r := w.request(http.MethodGet, apiPrefix+"browse", nil)
	r.Header.Set("Authorization", "Bearer "+token)
	if answer := w.do(r); answer.Code != http.StatusOK {
		t.Errorf("with the token: %d: %s", answer.Code, answer.Body)
	}
	if answer := w.do(w.request(http.MethodPost, "/login", url.Values{"token": {"wrong"}})); answer.Code != http.StatusUnauthorized {
		t.Errorf("login with a wrong token: %d", answer.Code)
	}
	answer := w.do(w.request(http.MethodPost, "/login", url.Values{"token": {token}, "next": {"//evil.example/x"}}))
	if answer.Code != http.StatusSeeOther || answer.Header().Get("Location") != "/" {
		t.Errorf("login: %d to %s, want to come to a page of ours", answer.Code, answer.Header().Get("Location"))
	}
	r = w.request(http.MethodGet, "/browse", nil)
	r.AddCookie(answer.Result().Cookies()[0])
	if answer := w.do(r); answer.Code != http.StatusOK {
		t.Errorf("after the login: %d", answer.Code)
	}
	r = w.request(http.MethodGet, "/browse", nil)
	r.AddCookie(&http.Cookie{Name: sessionCookie, Value: "made up"})
	if answer := w.do(r); answer.Code != http.StatusSeeOther {
		t.Errorf("with a session that does not exist: %d", answer.Code)
	}
}

func TestTheIdentityHeaderCountsFromProxiesAlone(t *testing.T) {
	w := newWorld(t, Guard{Header: "X-Forwarded-User", Proxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/24")}})
	for _, test := range []struct {
		from string
		who  []string
		want int
	}{
		{"10.0.0.7:1", []string{"ann"}, http.StatusOK},
		{"10.0.0.7:1", nil, http.StatusForbidden},
		{"10.0.0.7:1", []string{""}, http.StatusForbidden},
		{"10.0.0.7:1", []string{"ann", "bob"}, http.StatusForbidden},
		{"10.0.1.7:1", []string{"ann"}, http.StatusForbidden},
		{"127.0.0.1:1", []string{"ann"}, http.StatusForbidden},
		{"[::ffff:10.0.0.7]:1", []string{"ann"}, http.StatusOK},
	} {
		r := w.request(http.MethodGet, "/", nil)
		r.RemoteAddr = test.from
		for _, who := range test.who {
			r.Header.Add("X-Forwarded-User", who)
		}
		if answer := w.do(r); answer.Code != test.want {
			t.Errorf("%s as %q: %d, want %d", test.from, test.who, answer.Code, test.want)
		}
	}
}

func TestOtherSitesReachNothing(t *testing.T) {
	w := newWorld(t, Guard{})
	for name, value := range map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "http://evil.example"} {
		for _, path := range []string{"/unlock", "/lock", "/login", "/logout", "/theme"} {
			r := w.request(http.MethodPost, path, url.Values{"identity": {w.secret}})
			r.Header.Set(name, value)
			if answer := w.do(r); answer.Code != http.StatusForbidden || len(answer.Result().Cookies()) > 0 {
				t.Errorf("POST %s with %s: %s: %d", path, name, value, answer.Code)
			}
		}
	}
	for _, host := range []string{"evil.example", "127.0.0.1.evil.example", "localhost.evil.example:8484", "localhost..", ".localhost", "192.0.2.1"} {
		r := w.request(http.MethodGet, "/", nil)
		r.Host = host
		if answer := w.do(r); answer.Code != http.StatusForbidden {
			t.Errorf("as %s: %d", host, answer.Code)
		}
	}
	for _, host := range []string{"localhost:8484", "127.0.0.1:8484", "[::1]:8484", "localhost", "LOCALHOST:8484", "LocalHost", "localhost.", "localhost.:8484"} {
		r := w.request(http.MethodGet, "/", nil)
		r.Host = host
		if answer := w.do(r); answer.Code != http.StatusOK {
			t.Errorf("as %s: %d", host, answer.Code)
		}
	}
}

func TestHostileNamesAndContentsAreShownAsText(t *testing.T) {
	w := newWorld(t, trusted)
	for _, path := range []string{
		w.at("/browse", "notes"), w.at("/file", "notes/"+hostileName), w.at("/versions", "notes/"+hostileName), "/search?q=script", "/search?q=" + url.QueryEscape("<script>alert(9)</script>"),
		w.at("/restore", "notes/"+hostileName, "target", "'><script>alert(4)</script>"), "/jobs", w.at("/file", "pictures/drawing.svg"), "/<script>alert(5)</script>",
		w.at("/browse", "<script>alert(6)</script>"), "/timeline?set=<script>alert(7)</script>",
	} {
		r := w.request(http.MethodGet, "/", nil)
		r.URL, _ = url.Parse("http://localhost" + path)
		body := w.do(r).Body.String()
		for _, bad := range []string{"<script>alert", "<img src=x", "<b>bold"} {
			if strings.Contains(body, bad) {
				t.Errorf("%s has %s in it", path, bad)
			}
		}
	}
	if body := w.get(w.at("/browse", "notes")).Body.String(); strings.Contains(body, "\u202e") || !strings.Contains(body, `\u202egpj.exe`) {
		t.Error("a name that turns the direction of writing is shown as it is")
	}
}

func TestPathTricksLeadNowhere(t *testing.T) {
	w := newWorld(t, trusted)
	for _, path := range []string{
		w.at("/file", "../../etc/passwd"), w.at("/file", "notes/../../etc/passwd"), w.at("/download", "/etc/passwd", "as", "file"), w.at("/browse", "notes/../.."),
		w.at("/browse", "", "source", "../files"), w.at("/file", "notes\x00"), "/static/..%2fpage.go", "/static/../page.go", "/static/templates", "/snapshot?id=../../x", "/browse?id=%00%00%00%00",
		w.at("/picture", "notes/readme.txt"), w.at("/picture", "pictures/drawing.svg"), w.at("/download", "notes", "as", "file"), w.at("/download", "notes", "as", "exe"),
	} {
		r := w.request(http.MethodGet, "/", nil)
		r.URL, _ = url.Parse("http://localhost" + path)
		if answer := w.do(r); answer.Code == http.StatusOK || answer.Code >= 500 {
			t.Errorf("%s: %d: %s", path, answer.Code, answer.Body)
		}
	}
}

func TestDownloadsAreTheSourcesBytes(t *testing.T) {
	w := newWorld(t, trusted)
	answer := w.get(w.at("/download", "notes/"+hostileName, "as", "file"))
	if answer.Body.String() != hostileText || answer.Header().Get("Content-Type") != "application/octet-stream" || !strings.HasPrefix(answer.Header().Get("Content-Disposition"), "attachment") {
		t.Errorf("got %q with %v", answer.Body, answer.Header())
	}
	answer = w.get(w.at("/download", "notes", "as", "zip"))
	z, err := zip.NewReader(bytes.NewReader(answer.Body.Bytes()), int64(answer.Body.Len()))
	if err != nil {
		t.Fatal(err)
	}
	file, err := z.Open("files/notes/readme.txt")
	if err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(file); err != nil || string(text) != "one\n2\nthree\nfour\n" {
		t.Errorf("the zip has %q, %v", text, err)
	}
	found := map[string]string{}
	for r := tar.NewReader(w.get(w.at("/download", "", "as", "tar")).Body); ; {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		found[h.Name] = string(text)
	}
	if found["files/notes/readme.txt"] != "one\n2\nthree\nfour\n" || found["files/notes/"+hostileName] != hostileText {
		t.Errorf("the tar has %q", found)
	}
	answer = w.get(w.at("/picture", "pictures/dot.gif"))
	if answer.Header().Get("Content-Type") != "image/gif" || !strings.HasSuffix(answer.Header().Get("Content-Security-Policy"), "sandbox") {
		t.Errorf("the picture came with %v", answer.Header())
	}
}

func TestVersionsTellWhatHasChanged(t *testing.T) {
	w := newWorld(t, trusted)
	var shown struct {
		Versions []struct{ ID string }
		Lines    []line
	}
	if err := json.Unmarshal(w.get(w.at(apiPrefix+"versions", "notes/readme.txt", "before", w.ids[0], "after", w.ids[1])).Body.Bytes(), &shown); err != nil {
		t.Fatal(err)
	}
	if len(shown.Versions) != 2 {
		t.Fatalf("got %d versions, want 2", len(shown.Versions))
	}
	text := ""
	for _, l := range shown.Lines {
		text += map[string]string{"same": " ", "less": "-", "more": "+"}[l.Kind] + l.Text + "|"
	}
	if want := " one|-two|+2| three|+four| |"; text != want {
		t.Errorf("got %s, want %s", text, want)
	}
}

func TestASearchFindsWhatIsGone(t *testing.T) {
	w := newWorld(t, trusted)
	if err := os.Remove(filepath.Join(w.dir, "notes/readme.txt")); err != nil {
		t.Fatal(err)
	}
	w.backup()
	w.now = w.now.Add(time.Hour) // what was read is old
	for all, want := range map[string]int{"": 0, "yes": 1} {
		var shown struct{ Hits []struct{ Snapshots int } }
		if err := json.Unmarshal(w.get(apiPrefix+"search?q=README&all="+all).Body.Bytes(), &shown); err != nil {
			t.Fatal(err)
		}
		if len(shown.Hits) != want || want == 1 && shown.Hits[0].Snapshots != 2 {
			t.Errorf("all=%q: got %+v, want %d", all, shown.Hits, want)
		}
	}
}

func TestCommandsAreQuotedForAShell(t *testing.T) {
	for word, want := range map[string]string{
		"/tmp/x": "/tmp/x", "": "''", "a b": "'a b'", "$(reboot)": "'$(reboot)'", "it's": `'it'\''s'`, "a\nb": `$'a\nb'`, "\x1b[31m": `$'\x1b[31m'`, "é'\n": `$'é\'\n'`,
	} {
		if got := quoted(word); got != want {
			t.Errorf("quoted(%q) = %s, want %s", word, got, want)
		}
	}
}
