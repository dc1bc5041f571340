package page

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/cmd/internal/room"
	"github.com/packstone/packstone/pipeline/backup"
	db "github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/databasetest"
	"github.com/packstone/packstone/pipeline/source"
	"github.com/packstone/packstone/pipeline/source/database"
	"github.com/packstone/packstone/pipeline/source/files"
)

// markup is what no page may have in it as it is.
const markup = `"><img src=x onerror=alert(8)>`

// newMarkupWorld is a repository in which everything is named markup but sources, whose names are
// checked.
func newMarkupWorld(t *testing.T) *world {
	t.Helper()
	w := newBareWorld(t, trusted)
	w.write(markup, markup)
	for _, text := range []string{markup, markup + "!"} {
		folder, err := files.New(files.Options{Roots: []string{w.dir}})
		if err != nil {
			t.Fatal(err)
		}
		src, err := database.New(database.Options{Driver: held{markupDatabase(text)}})
		if err != nil {
			t.Fatal(err)
		}
		repo, err := w.open(catalog.Keys{})
		if err != nil {
			t.Fatal(err)
		}
		s, err := backup.Run(t.Context(), repo, backup.Options{Set: markup, Host: markup, Tags: []string{markup}, Jobs: []backup.Job{
			{Name: "files", Type: "files", Location: markup, Open: func(context.Context) (source.Source, error) { return folder, nil }},
			{Name: "shop", Type: databaseType, Location: markup, Open: func(context.Context) (source.Source, error) { return src, nil }},
		}})
		if err != nil {
			t.Fatal(err)
		}
		w.ids = append(w.ids, s.ID.String())
	}
	return w
}

// markupDatabase is a database whose table has one row of a text.
func markupDatabase(text string) *databasetest.Source {
	table := &db.Table{
		Name: markup, Comment: markup, PrimaryKey: &db.Key{Name: markup, Columns: []string{"id"}}, Order: []string{"id"},
		Columns: []*db.Column{
			{Name: "id", NotNull: true, Type: db.Type{Kind: db.Int, Native: "bigint"}},
			{Name: markup, Comment: markup, Type: db.Type{Kind: db.Text, Native: markup}, Default: &db.Expr{SQL: markup}},
		},
		Checks:  []*db.Check{{Name: markup, Expr: db.Expr{SQL: markup}}},
		Indexes: []*db.Index{{Name: markup, Method: markup, Parts: []db.IndexPart{{Column: markup}}, Where: &db.Expr{SQL: markup}}},
	}
	return &databasetest.Source{
		Model: &db.Schema{Engine: db.Postgres, Version: markup, Tables: []*db.Table{table}},
		Data:  map[string][][]db.Cell{markup: {{databasetest.Int(1), databasetest.Text(text)}}},
	}
}

func TestNamesThatAreMarkupAreShownAsText(t *testing.T) {
	w := newMarkupWorld(t)
	q := func(more ...string) string {
		values := url.Values{"id": {w.ids[1]}, "source": {"files"}, "path": {markup}, "set": {markup}, "host": {markup}}
		for i := 0; i+1 < len(more); i += 2 {
			values.Set(more[i], more[i+1])
		}
		return "?" + values.Encode()
	}
	ofDatabase := func(more ...string) string {
		return q(append([]string{"source", "shop", "table", markup}, more...)...)
	}
	escaped := "&#34;&gt;&lt;img src=x"
	for _, target := range []string{
		"/timeline" + q(), "/snapshot" + q(), "/browse" + q("path", ""), "/browse" + q("path", "", "source", ""), "/file" + q(), "/versions" + q("before", w.ids[0], "after", w.ids[1]),
		"/database" + ofDatabase(), "/database" + ofDatabase("before", w.ids[0]), "/table" + ofDatabase(), "/table" + ofDatabase("before", w.ids[0]),
		"/search" + q("q", "img", "all", "yes"), "/compare" + q("before", w.ids[0], "after", w.ids[1]), "/restore" + q("target", markup), "/storage",
	} {
		answer := w.get(target)
		body := answer.Body.String()
		if answer.Code != http.StatusOK || strings.Contains(body, "<img src=x") || !strings.Contains(body, escaped) {
			t.Errorf("%s does not show the names as text: %d: %s", target, answer.Code, body)
		}
	}
	answer := w.get("/download" + q("as", "file"))
	if answer.Body.String() != markup || strings.ContainsAny(strings.TrimPrefix(answer.Header().Get("Content-Disposition"), "attachment"), "\r\n") || answer.Header().Get("Content-Type") != "application/octet-stream" {
		t.Errorf("the download: %q with %v", answer.Body, answer.Header())
	}
}

func TestTricksInAddressesLeadNowhere(t *testing.T) {
	w := newWorld(t, trusted)
	long := strings.Repeat("a/", 64<<10)
	for _, target := range []string{
		"/static/..%2f..%2fpage.go", "/static/%2e%2e/page.go", "/static/..%5cpage.go", "/static//etc/passwd", "/static/style.css%00.png", "/static/" + strings.Repeat("x", 5000),
		"/static/templates%2flayout.html", "/%2e%2e/%2e%2e/etc/passwd", "/api/v1/%2e%2e/overview%2f", "/api/v1/openapi.json%00", "/browse%00", "/" + strings.Repeat("%2f", 1000),
		w.at("/file", "notes%2f..%2f..%2fetc%2fpasswd"), w.at("/file", "notes\\..\\readme.txt"), w.at("/download", long, "as", "file"), w.at("/browse", long), w.at("/file", "notes/readme.txt/"+long),
		"/snapshot?id=" + strings.Repeat("f", 100<<10), "/versions?" + strings.Repeat("path=x&", 20<<10), w.at("/table", "", "table", long), "/compare?before=" + long + "&after=" + long,
	} {
		r := w.request(http.MethodGet, "/", nil)
		var err error
		if r.URL, err = url.Parse("http://localhost" + target); err != nil {
			t.Fatal(err)
		}
		answer := w.do(r)
		if body := answer.Body.String(); answer.Code == http.StatusOK || answer.Code >= 500 || strings.Contains(body, "root:") || strings.Contains(body, "package page") {
			t.Errorf("%.100s: %d: %.300s", target, answer.Code, body)
		}
	}
	if answer := w.get("/search?q=" + strings.Repeat("x", 100<<10)); answer.Code >= 500 {
		t.Errorf("a long search: %d", answer.Code)
	}
}

func TestOnlyTheMethodsOfARouteAreServed(t *testing.T) {
	w := newWorld(t, trusted)
	for _, l := range looks {
		path := strings.TrimSuffix(l.path, "{$}")
		for _, method := range []string{http.MethodPut, http.MethodDelete, http.MethodPatch, http.MethodOptions, http.MethodTrace, http.MethodConnect, "BREW"} {
			r := w.request(method, path, nil)
			if answer := w.do(r); answer.Code < 400 || answer.Code >= 500 || answer.Header().Get("Access-Control-Allow-Origin") != "" {
				t.Errorf("%s %s: %d with %v", method, path, answer.Code, answer.Header())
			}
		}
	}
	for _, target := range []string{"/", w.at("/browse", "notes"), "/static/style.css", apiPrefix + "overview"} {
		answer, whole := w.do(w.request(http.MethodHead, target, nil)), w.get(target)
		if answer.Code != http.StatusOK || answer.Header().Get("Content-Type") != whole.Header().Get("Content-Type") || answer.Header().Get("X-Frame-Options") != "DENY" {
			t.Errorf("HEAD %s: %d with %v", target, answer.Code, answer.Header())
		}
	}
	for _, as := range []string{"tar", "zip"} {
		if answer := w.do(w.request(http.MethodHead, w.at("/download", "notes", "as", as), nil)); answer.Code != http.StatusOK || answer.Body.Len() > 0 || answer.Header().Get("Content-Disposition") == "" {
			t.Errorf("HEAD of a download as %s reads it: %d, %d bytes with %v", as, answer.Code, answer.Body.Len(), answer.Header())
		}
	}
	answer := w.do(w.request(http.MethodHead, w.at("/download", "notes/readme.txt", "as", "file"), nil))
	if answer.Code != http.StatusOK || answer.Body.Len() > 0 || answer.Header().Get("Content-Length") != "17" {
		t.Errorf("HEAD of a file: %d, %d bytes with %v", answer.Code, answer.Body.Len(), answer.Header())
	}
}

func TestDownloadsComeAsAWhole(t *testing.T) {
	w := newWorld(t, trusted)
	const text = "one\n2\nthree\nfour\n"
	for header, value := range map[string]string{
		"Range": "bytes=1-2", "If-None-Match": "*", "If-Modified-Since": time.Now().Add(time.Hour).UTC().Format(http.TimeFormat), "If-Range": `"x"`, "Accept-Encoding": "gzip",
	} {
		r := w.request(http.MethodGet, w.at("/download", "notes/readme.txt", "as", "file"), nil)
		r.Header.Set(header, value)
		if answer := w.do(r); answer.Code != http.StatusOK || answer.Body.String() != text || answer.Header().Get("Content-Encoding") != "" || answer.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("with %s: %s: %d: %q with %v", header, value, answer.Code, answer.Body, answer.Header())
		}
	}
}

func TestATokenCountsInItsHeaderAlone(t *testing.T) {
	s := newStage(t, asToken)
	refused := func(how string, r *http.Request) {
		t.Helper()
		if answer := s.do(r); answer.Code != http.StatusUnauthorized && answer.Code != http.StatusSeeOther || strings.Contains(answer.Body.String(), "readme") {
			t.Errorf("%s: %d", how, answer.Code)
		}
	}
	for _, name := range []string{"token", "access_token", "authorization", "Bearer"} {
		q := url.Values{name: {token}}.Encode()
		refused("in the address as "+name, s.request(http.MethodGet, "/browse?"+q, nil))
		refused("in the address as "+name, s.request(http.MethodGet, apiPrefix+"browse?"+q, nil))
		r := s.request(http.MethodGet, apiPrefix+"browse", nil)
		r.AddCookie(&http.Cookie{Name: name, Value: token})
		r.AddCookie(&http.Cookie{Name: sessionCookie, Value: token})
		refused("in the cookie "+name, r)
	}
	for _, header := range []string{"X-Token", "Proxy-Authorization", "X-Forwarded-User"} {
		r := s.request(http.MethodGet, apiPrefix+"browse", nil)
		r.Header.Set(header, "Bearer "+token)
		refused("in the header "+header, r)
	}
	r := s.request(http.MethodPost, "/login?token="+url.QueryEscape(token), url.Values{})
	if answer := s.do(r); answer.Code != http.StatusUnauthorized || len(answer.Result().Cookies()) > 0 {
		t.Errorf("a login with the token in the address: %d", answer.Code)
	}
}

func TestOtherKindsOfBodiesDoNothing(t *testing.T) {
	s := newStage(t, asToken)
	cookie := s.do(s.request(http.MethodPost, "/login", url.Values{"token": {token}})).Result().Cookies()[0]
	for _, kind := range []string{"text/plain", "application/json", "multipart/form-data; boundary=x", "", "application/x-www-form-urlencoded"} {
		for _, origin := range []string{"", "http://evil.example", "http://localhost:1", "https://localhost.", "file://", "javascript:alert(1)"} {
			r := httptest.NewRequest(http.MethodPost, "http://localhost/jobs/start", strings.NewReader(`job=check&x={"job":"check"}`))
			r.RemoteAddr = "127.0.0.1:5000"
			r.AddCookie(cookie)
			r.Header.Set("Content-Type", kind)
			if origin != "" {
				r.Header.Set("Origin", origin)
			}
			if answer := s.do(r); answer.Code != http.StatusForbidden {
				t.Errorf("%q from %q: %d", kind, origin, answer.Code)
			}
		}
	}
	large := s.request(http.MethodPost, "/unlock", url.Values{"identity": {strings.Repeat("x", maxBody)}})
	large.AddCookie(cookie)
	if answer := s.do(large); answer.Code < 400 || answer.Code >= 500 {
		t.Errorf("a form that is too large: %d", answer.Code)
	}
	if len(s.asked)+len(s.said) > 0 {
		t.Errorf("done all the same: %v, %v", s.asked, s.said)
	}
}

func TestLinksDoNotLeadOutOfTheScratchDirectory(t *testing.T) {
	s := newStage(t, asToken)
	outside := t.TempDir()
	keep := filepath.Join(outside, "keep")
	if err := os.WriteFile(keep, []byte("keep"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.start()
	s.let <- nil
	place := s.ended().Places[0]
	if err := os.Symlink(outside, filepath.Join(place.Path, "link")); err != nil { // as a restored one may be
		t.Fatal(err)
	}
	forged, err := room.New(outside, room.Note{Began: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	note := forged.Note
	note.Ended = time.Now()
	if err := forged.Finish(note); err != nil {
		t.Fatal(err)
	}
	linked := "restored-20260101-000000-aaaaaa"
	if err := os.Symlink(filepath.Join(outside, forged.Name), filepath.Join(s.dir, linked)); err != nil {
		t.Fatal(err)
	}
	for _, p := range s.state().Places {
		if p.Place == linked {
			t.Error("a place that lies elsewhere is listed")
		}
	}
	if answer := s.post("restore/remove", "place", linked); answer.Code != http.StatusNotFound {
		t.Errorf("a place that lies elsewhere: %d: %s", answer.Code, answer.Body)
	}
	if answer := s.post("restore/remove", "place", place.Place); answer.Code != http.StatusAccepted {
		t.Errorf("a place with a link in it: %d: %s", answer.Code, answer.Body)
	}
	if _, err := os.Stat(keep); err != nil {
		t.Errorf("what the link leads to is gone: %v", err)
	}
	if _, err := os.Stat(filepath.Join(outside, forged.Name)); err != nil {
		t.Errorf("what lies elsewhere is gone: %v", err)
	}
	if left := s.rooms(); !slices.Equal(left, []string{linked}) {
		t.Errorf("left: %v", left)
	}
}

func TestFormsStayInTheRepositoryThatIsLookedAt(t *testing.T) {
	w := newWorld(t, trusted)
	w.Repositories = func() []string { return []string{"near", "far & away"} }
	const field = `<input type="hidden" name="in" value="far &amp; away">`
	for _, path := range []string{"/compare", "/search", "/restore", "/storage", "/unlock"} {
		for in, want := range map[string]bool{"?in=far+%26+away": true, "": false} {
			if got := strings.Contains(w.get(path+in).Body.String(), field); got != want {
				t.Errorf("%s%s: a form names the repository: %v, want %v", path, in, got, want)
			}
		}
	}
}
