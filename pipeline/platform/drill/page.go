package drill

import (
	_ "embed" // the page
	"fmt"
	"html/template"
	"io"
	"strings"
	"time"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/entry"
)

//go:embed page.html
var pageText string

var page = template.Must(template.New("page").Funcs(template.FuncMap{
	"time":     func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") },
	"duration": Duration,
	"bytes":    func(n uint64) string { return entry.Count(int64(n)) },
	"words":    func(list []string) string { return strings.Join(list, " ") },
	"name":     entry.Printable,
	"verdict":  verdict,
}).Parse(pageText))

// verdict says in a word what became of something.
func verdict(good bool, yes, no string) string {
	if good {
		return yes
	}
	return no
}

// Duration is a number of seconds as a person reads it.
func Duration(seconds float64) string {
	d := time.Duration(seconds * float64(time.Second))
	switch {
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	case d < time.Hour:
		return d.Round(100 * time.Millisecond).String()
	case d < 48*time.Hour:
		return strings.TrimSuffix(d.Round(time.Minute).String(), "0s")
	}
	return fmt.Sprintf("%.1f days", d.Hours()/24)
}

// sheet is what the page shows.
type sheet struct {
	*catalog.DrillReport
	Repository string
	Owner      string // the fingerprint of the repository's owner
}

// WritePage writes a report as one HTML page that asks for nothing else, and prints well. What came
// from snapshots and settings is shown as text, whatever it is.
func WritePage(to io.Writer, report *catalog.DrillReport, repository, owner string) error {
	if err := page.Execute(to, sheet{report, repository, owner}); err != nil {
		return fmt.Errorf("write the page of a drill: %w", err)
	}
	return nil
}
