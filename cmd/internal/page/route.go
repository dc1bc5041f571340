package page

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"io/fs"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/cmd/internal/output"
	"github.com/packstone/packstone/crypto"
	"github.com/packstone/packstone/pipeline/database"
)

//go:embed static
var static embed.FS

// look is something to be looked at: as a page, and under the same name as JSON.
type look struct {
	path  string // of the page
	name  string // of its template, and below /api/v1
	title string
	takes []string // the parameters, beside that which names the repository
	show  func(*visit) (any, error)
}

// looks are all pages with content. Their JSON is described in static/openapi.json.
var looks = []look{
	{"/{$}", "overview", "Overview", nil, (*visit).overview},
	{"/timeline", "timeline", "Timeline", []string{"set", "host", "from"}, (*visit).timeline},
	{"/snapshot", "snapshot", "Snapshot", []string{"id"}, (*visit).snapshot},
	{"/browse", "browse", "Browse", []string{"id", "source", "path", "after"}, (*visit).browse},
	{"/file", "file", "File", []string{"id", "source", "path"}, (*visit).file},
	{"/versions", "versions", "Versions", []string{"id", "source", "path", "from", "before", "after"}, (*visit).versions},
	{"/database", "database", "Database", []string{"id", "source", "before", "after"}, (*visit).tables},
	{"/table", "table", "Table", []string{"id", "source", "table", "before"}, (*visit).table},
	{"/search", "search", "Search", []string{"q", "set", "all"}, (*visit).search},
	{"/compare", "compare", "Compare", []string{"set", "host", "before", "after", "all"}, (*visit).compare},
	{"/restore", "restore", "Restore", []string{"id", "source", "path", "target", "verify"}, (*visit).restore},
	{"/jobs", "jobs", "Jobs", nil, (*visit).jobs},
	{"/storage", "storage", "Storage", nil, (*visit).storage},
	{"/drills", "drills", "Drills", nil, (*visit).drills},
}

// apiPrefix begins the address of everything that programs read.
const apiPrefix = "/api/v1/"

func (p *Page) routes() {
	for _, l := range looks {
		p.mux.HandleFunc("GET "+l.path, p.admitted(func(v *visit) error { return v.page(l) }))
		p.mux.HandleFunc("GET "+apiPrefix+l.name, p.admitted(func(v *visit) error { return v.json(l) }))
	}
	p.actRoutes()
	p.mux.HandleFunc("GET "+apiPrefix+"openapi.json", p.admitted(func(v *visit) error { return v.asset("openapi.json") }))
	p.mux.HandleFunc("GET /download", p.admitted((*visit).download))
	p.mux.HandleFunc("GET /picture", p.admitted((*visit).picture))
	p.mux.HandleFunc("GET /unlock", p.admitted((*visit).unlockForm))
	p.mux.HandleFunc("POST /unlock", p.admitted((*visit).unlock))
	p.mux.HandleFunc("POST /lock", p.admitted((*visit).lock))
	p.mux.HandleFunc("GET /login", p.anyone((*visit).loginForm))
	p.mux.HandleFunc("POST /login", p.anyone((*visit).login))
	p.mux.HandleFunc("POST /logout", p.anyone((*visit).logout))
	p.mux.HandleFunc("POST /theme", p.anyone((*visit).theme))
	p.mux.HandleFunc("GET /static/{name}", p.anyone(func(v *visit) error { return v.asset(v.r.PathValue("name")) }))
	p.mux.HandleFunc("/", p.admitted(func(*visit) error { return errNowhere }))
}

// The refusals that have a status of their own.
var (
	errNowhere = errors.New("there is no such page")
	errLocked  = errors.New("this needs an identity")
	errBusy    = errors.New("too many downloads and readings of tables are under way; try again when one has ended")
)

// visit is one request by one person.
type visit struct {
	*Page
	w       http.ResponseWriter
	r       *http.Request
	who     person
	session *session // nil: there is none
	now     time.Time
}

func (p *Page) visit(w http.ResponseWriter, r *http.Request) (v *visit, ok bool) {
	v = &visit{Page: p, w: w, r: r, session: p.sessions.find(r), now: p.Now()}
	v.who, ok = p.guard.admit(r, v.session)
	if v.session != nil && v.session.of != v.who.name {
		v.session = nil // somebody else uses the browser now
	}
	return v, ok
}

// admitted serves those who may see the page, and sends others to the login.
func (p *Page) admitted(serve func(*visit) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		v, ok := p.visit(w, r)
		if ok {
			v.finish(serve(v))
			return
		}
		v.refuse()
	}
}

// anyone serves everybody.
func (p *Page) anyone(serve func(*visit) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		v, _ := p.visit(w, r)
		v.finish(serve(v))
	}
}

// refuse answers whoever may not see the page.
func (v *visit) refuse() {
	switch {
	case v.guard.Token != "" && v.r.Method == http.MethodGet && !v.isAPI():
		v.redirect("/login?" + url.Values{"next": {v.r.URL.RequestURI()}}.Encode())
	case v.guard.Token != "":
		v.w.Header().Set("WWW-Authenticate", `Bearer realm="packstone"`)
		v.fail(http.StatusUnauthorized, "log in first: the token is that of serve.token_file")
	case v.guard.Header != "":
		v.fail(http.StatusForbidden, "this page is to be reached through the proxy that knows who you are")
	default:
		v.fail(http.StatusForbidden, "this page is for this machine alone: open it as http://localhost")
	}
}

func (v *visit) isAPI() bool { return strings.HasPrefix(v.r.URL.Path, apiPrefix) }

// finish tells what went wrong.
func (v *visit) finish(err error) {
	switch {
	case err == nil || v.r.Context().Err() != nil:
	case errors.Is(err, errLocked) && !v.isAPI():
		v.redirect("/unlock?" + url.Values{"next": {v.r.URL.RequestURI()}, "in": {v.repository()}}.Encode())
	case errors.Is(err, errLocked):
		v.fail(http.StatusForbidden, err.Error())
	case errors.Is(err, errNowhere), errors.Is(err, fs.ErrNotExist), errors.Is(err, catalog.ErrNoSnapshot), errors.Is(err, catalog.ErrNoPlace):
		v.fail(http.StatusNotFound, err.Error())
	case errors.Is(err, catalog.ErrMisuse), errors.Is(err, catalog.ErrBadName), errors.Is(err, catalog.ErrAmbiguous), errors.Is(err, catalog.ErrNames), errors.Is(err, database.ErrRefused):
		v.fail(http.StatusBadRequest, err.Error())
	case statusOf(err) != 0:
		v.fail(statusOf(err), err.Error())
	case errors.Is(err, errBusy):
		v.fail(http.StatusServiceUnavailable, err.Error())
	default:
		v.fail(http.StatusInternalServerError, err.Error())
	}
}

// failure is what is shown instead of what was asked for.
type failure struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}

func (v *visit) fail(code int, message string) {
	f := failure{code, output.Name(message).String()}
	if v.isAPI() {
		v.w.Header().Set("Content-Type", "application/json")
		v.w.WriteHeader(code)
		_ = json.NewEncoder(v.w).Encode(f) // nobody is left to be told
		return
	}
	_ = v.render(code, "failure", http.StatusText(code), f) // as above
}

func (v *visit) redirect(to string) { http.Redirect(v.w, v.r, to, http.StatusSeeOther) }

// back leads to where a form wants to go on: to a page of ours only.
func (v *visit) back() {
	next := v.r.FormValue("next")
	if u, err := url.Parse(next); err != nil || u.Host != "" || u.Scheme != "" || !strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") || strings.ContainsAny(next, "\\\r\n") {
		next = "/"
	}
	v.redirect(next)
}

// page answers with HTML.
func (v *visit) page(l look) error {
	content, err := l.show(v)
	if err != nil {
		return err
	}
	return v.render(http.StatusOK, l.name, l.title, content)
}

// json answers with the same as JSON.
func (v *visit) json(l look) error {
	content, err := l.show(v)
	if err != nil {
		return err
	}
	v.w.Header().Set("Content-Type", "application/json")
	return json.NewEncoder(v.w).Encode(content)
}

// asset answers with a file of ours.
func (v *visit) asset(name string) error {
	if name != "openapi.json" {
		v.w.Header().Set("Cache-Control", "max-age=86400") // its address has the version in it
	}
	http.ServeFileFS(v.w, v.r, static, "static/"+name)
	return nil
}

// repository is the name of the repository that is looked at.
func (v *visit) repository() string {
	names := v.Repositories()
	if named := v.r.FormValue("in"); slices.Contains(names, named) {
		return named
	}
	if len(names) == 0 {
		return ""
	}
	return names[0]
}

// shelf returns the repository that is looked at, opened with the keys that this visit may use.
func (v *visit) shelf() *shelf {
	if v.session != nil && v.session.lent != nil {
		return v.Page.shelf(v.session, v.repository(), false)
	}
	return v.Page.shelf(nil, v.repository(), v.who.known)
}

func (p *Page) shelf(lender *session, name string, own bool) *shelf {
	keys, from, key := Keys{Own: own}, &p.shelves, name
	if own {
		key += "\x00own"
	}
	if lender != nil {
		keys, from = Keys{Lent: lender.lent}, lender.shelves
	}
	return from.get(key, func(ctx context.Context) (*catalog.Repository, error) { return p.Open(ctx, name, keys) }, p)
}

// known returns what is known of the repository.
func (v *visit) known() (*known, error) { return v.shelf().known(v.r.Context()) }

// readable is known for what needs an identity.
func (v *visit) readable() (*known, error) {
	k, err := v.known()
	if err == nil && !k.repo.CanRead() {
		err = errLocked
	}
	return k, err
}

// link is the address of a page with parameters, name by name.
func (v *visit) link(path string, parameters ...string) string {
	q := url.Values{}
	if v.r.FormValue("in") != "" {
		q.Set("in", v.repository())
	}
	for i := 0; i+1 < len(parameters); i += 2 {
		if parameters[i+1] != "" {
			q.Set(parameters[i], parameters[i+1])
		}
	}
	if len(q) == 0 {
		return path
	}
	return path + "?" + q.Encode()
}

// parsed is an identity that a person has typed in.
func parsed(text, passphrase string) (*crypto.IdentityFile, error) {
	return crypto.ParseIdentities(strings.NewReader(text), func() (string, error) { return passphrase, nil })
}
