package page

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/packstone/packstone/cmd/internal/output"
)

//go:embed templates
var sources embed.FS

// templates are the pages by name, each with the layout around it. They are parsed when the first one
// is shown, since each command would wait for it otherwise.
var templates = sync.OnceValue(parseTemplates)

func parseTemplates() map[string]*template.Template {
	all := map[string]*template.Template{}
	layout := template.Must(template.New("layout.html").Funcs(functions).ParseFS(sources, "templates/layout.html", "templates/parts.html"))
	files, _ := sources.ReadDir("templates") // embedded: it cannot fail
	for _, file := range files {
		if name := strings.TrimSuffix(file.Name(), ".html"); name != "layout" && name != "parts" {
			all[name] = template.Must(template.Must(layout.Clone()).ParseFS(sources, path.Join("templates", file.Name())))
		}
	}
	return all
}

// functions are what templates format with.
var functions = template.FuncMap{
	"bytes":  func(n any) string { return output.Bytes(toInt(n)) },
	"count":  func(n any) string { return output.Count(toInt(n)) },
	"plural": func(n any, noun string) string { return output.Plural(toInt(n), noun) },
	"name":   func(s any) string { return output.Name(fmt.Sprint(s)).String() },
	"raw":    func(n output.Name) string { return string(n) },
	"time":   moment,
	"stamp":  func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
	"day":    func(t time.Time) string { return t.Local().Format("2 Jan 2006") },
	"span":   span,
}

func toInt(n any) int64 {
	switch n := n.(type) {
	case int:
		return int64(n)
	case int64:
		return n
	case uint64:
		return int64(n)
	}
	return 0
}

// moment formats a time for people, in the zone of this machine; a dash if it is not known.
func moment(t time.Time) string {
	if t.IsZero() {
		return "–"
	}
	return t.Local().Format("2 Jan 2006, 15:04")
}

// span formats how long something is, in its two largest units.
func span(l length) string {
	d := time.Duration(l).Abs()
	switch {
	case d > 0 && d < 100*time.Millisecond:
		return "< 0.1 s"
	case d > 0 && d < 2*time.Second:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Round(time.Second).Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", int(d.Hours()))
	}
	return fmt.Sprintf("%d days", int(d.Hours()/24))
}

// styleVersion is in the addresses of our files, so that browsers fetch new ones.
var styleVersion = func() string {
	h := sha256.New()
	for _, name := range []string{"style.css", "page.js"} {
		text, _ := static.ReadFile("static/" + name) // embedded: it cannot fail
		h.Write(text)
	}
	return hex.EncodeToString(h.Sum(nil)[:6])
}()

// frame is a page with what is around its content.
type frame struct {
	*visit
	Name, Title  string
	Content      any
	StyleVersion string
}

// place is an entry of the navigation.
type place struct {
	Name, Title, Link string
	Here              bool
}

// Places are the entries of the navigation.
func (f frame) Places() (all []place) {
	for _, at := range []place{
		{"overview", "Overview", "/", false}, {"timeline", "Timeline", "/timeline", false}, {"browse", "Browse", "/browse", false},
		{"database", "Database", "/database", false}, {"search", "Search", "/search", false}, {"compare", "Compare", "/compare", false}, {"restore", "Restore", "/restore", false},
		{"storage", "Storage", "/storage", false}, {"jobs", "Jobs", "/jobs", false}, {"drills", "Drills", "/drills", false},
	} {
		at.Link, at.Here = f.link(at.Link), at.Name == f.Name || at.Name == partOf[f.Name]
		all = append(all, at)
	}
	return all
}

// partOf is where the navigation says that one is on a page that is no entry of it.
var partOf = map[string]string{"snapshot": "timeline", "file": "browse", "versions": "browse", "table": "database"}

// Theme is light, dark, or "" for what the browser's system says.
func (f frame) Theme() string {
	if c, err := f.r.Cookie(themeCookie); err == nil && (c.Value == "light" || c.Value == "dark") {
		return c.Value
	}
	return ""
}

// Bare reports whether only the content is shown, to who is not known yet.
func (f frame) Bare() bool {
	_, admitted := f.guard.admit(f.r, f.session)
	return !admitted
}

// Here is the address of the page, to come back to.
func (f frame) Here() string {
	if f.r.Method != http.MethodGet {
		return "/"
	}
	return f.r.URL.RequestURI()
}

// In is the repository that is looked at, where one was chosen.
func (f frame) In() string { return f.r.FormValue("in") }

// UnlockURL leads to the form for an identity, and from there back here.
func (f frame) UnlockURL() string {
	q := url.Values{"next": {f.Here()}}
	if f.In() != "" {
		q.Set("in", f.In())
	}
	return "/unlock?" + q.Encode()
}

// LoggedIn reports whether there is somebody to log out.
func (f frame) LoggedIn() bool { return f.session != nil && f.session.loggedIn }

// Person is who looks, if a proxy says so.
func (f frame) Person() string {
	if f.guard.Header == "" {
		return ""
	}
	return output.Name(f.who.name).String()
}

// Lent reports whether an identity was lent.
func (f frame) Lent() bool { return f.session != nil && f.session.lent != nil }

// Stores are the repositories to choose from, if there are several.
func (f frame) Stores() (all []place) {
	names := f.Repositories()
	if len(names) < 2 {
		return nil
	}
	for _, name := range names {
		all = append(all, place{Title: name, Link: "/?in=" + template.URLQueryEscaper(name), Here: name == f.repository()})
	}
	return all
}

// render writes a page as a whole, so that no half of one is ever shown.
func (v *visit) render(code int, name, title string, content any) error {
	var text bytes.Buffer
	if err := templates()[name].Execute(&text, frame{v, name, title, content, styleVersion}); err != nil {
		return fmt.Errorf("show the page %s: %w", name, err)
	}
	v.w.Header().Set("Content-Type", "text/html; charset=utf-8")
	v.w.WriteHeader(code)
	_, _ = text.WriteTo(v.w) // who has gone does not read an error either
	return nil
}
