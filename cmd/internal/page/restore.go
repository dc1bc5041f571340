package page

import (
	"strings"
	"time"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/cmd/internal/output"
)

// restoring is what would be restored, and the commands for it; and what was restored into scratch
// places. The page itself restores nowhere else.
type restoring struct {
	ID        string         `json:"id"`
	Short     string         `json:"short"`
	Set       output.Name    `json:"set"`
	Host      output.Name    `json:"host"`
	SetLabel  string         `json:"-"`
	Time      time.Time      `json:"time,omitzero"`
	Sources   []sourceChoice `json:"sources,omitempty"`
	Source    output.Name    `json:"source"`
	Path      output.Name    `json:"path"`
	Target    output.Name    `json:"target"`
	Verify    bool           `json:"verify"`
	Files     uint64         `json:"files"`
	Bytes     uint64         `json:"bytes"`
	Whole     bool           `json:"whole"` // a source or a whole snapshot: Files and Bytes are known
	PlanFirst string         `json:"plan_first"`
	Command   string         `json:"command"`
	Choices   []row          `json:"-"`

	Scratch *scratchState `json:"scratch,omitempty"` // nil: there is none here
}

// sourceChoice is a source to choose.
type sourceChoice struct {
	Name output.Name `json:"name"`
	Type string      `json:"type"`
	Here bool        `json:"here"`
}

// scratchTarget is where a restore goes unless somebody says otherwise: to a place that is
// nobody's.
const scratchTarget = "/tmp/restored"

func (v *visit) restore() (any, error) {
	k, err := v.readable()
	if err != nil {
		return nil, err
	}
	_ = v.r.FormValue("id")
	if v.r.FormValue("id") == "" {
		v.r.Form.Set("id", "latest")
	}
	s, err := v.chosen(k, "id")
	if err != nil {
		return nil, err
	}
	p := catalog.Place{Source: v.r.FormValue("source"), Path: strings.Trim(v.r.FormValue("path"), "/")}
	if _, err := inSnapshot(p, s); err != nil {
		return nil, err
	}
	r := &restoring{
		ID: s.ID.String(), Short: s.ShortID(), Set: output.Name(s.Set), Host: output.Name(s.Host), SetLabel: setLabel(output.Name(s.Set)), Time: s.Time,
		Source: output.Name(p.Source), Path: output.Name(p.Path), Target: output.Name(v.r.FormValue("target")), Verify: v.r.FormValue("verify") != "", Whole: p.Path == "",
	}
	if r.Target == "" {
		r.Target = scratchTarget
	}
	for i := range s.Sources {
		source := &s.Sources[i]
		r.Sources = append(r.Sources, sourceChoice{output.Name(source.Name), source.Type, source.Name == p.Source})
		if p.Source == "" || p.Source == source.Name {
			r.Files += source.Coverage.Files
			r.Bytes += source.Coverage.Bytes
		}
	}
	of := k.of(s.Set, s.Host)
	for i := len(of) - 1; i >= 0 && len(r.Choices) < 200; i-- {
		r.Choices = append(r.Choices, v.row(k, of[i]))
	}
	r.command(p, s)
	r.Scratch, err = v.scratchState()
	return r, err
}

// command writes what a person types.
func (r *restoring) command(p catalog.Place, s *catalog.Snapshot) {
	at := s.ShortID()
	if p.Source != "" {
		at += ":" + strings.TrimSuffix(catalog.PlaceName(p.Source, p.Path), "/")
	}
	words := []string{"packstone", "restore", quoted(at), "--target", quoted(string(r.Target))}
	r.PlanFirst = strings.Join(append(words, "--plan"), " ")
	if r.Verify {
		words = append(words, "--verify")
	}
	r.Command = strings.Join(words, " ")
}

// quoted is a word for a shell, whatever is in it.
func quoted(word string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("/._-:,@%+=", r)
	}
	if word != "" && strings.IndexFunc(word, func(r rune) bool { return !plain(r) }) < 0 {
		return word
	}
	if shown := output.Name(word).String(); shown != word { // it has what a terminal would act on
		return "$'" + strings.ReplaceAll(strings.Trim(shown, `"`), "'", `\'`) + "'"
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
