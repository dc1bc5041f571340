package config

import (
	"strconv"
	"strings"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/tripwire"
)

// Tripwire determines what marks a snapshot of a set as a possible loss.
type Tripwire struct {
	Files          string `yaml:"files,omitempty" doc:"So much of a source's files is gone, such as -30%; off: whatever is gone. -30% if it is not named."`
	Rows           string `yaml:"rows,omitempty" doc:"So much of a database's rows is gone, or of a command's output. -50% if it is not named."`
	Changed        string `yaml:"changed,omitempty" doc:"So many of a source's bytes were replaced by others. 50% if it is not named."`
	Renamed        string `yaml:"renamed,omitempty" doc:"So many of a source's files have other names. 50% if it is not named."`
	Incompressible string `yaml:"incompressible,omitempty" doc:"So many more of a hundred bytes of a source do not compress, as where files were encrypted. 30% if it is not named."`
}

// Limits returns the limits in the settings, with defaults for the rest.
func (t *Tripwire) Limits() (l tripwire.Limits, err error) {
	l = tripwire.Default
	l.Named = *t != Tripwire{}
	for _, rule := range []struct {
		text string
		sign string
		to   *int
	}{
		{t.Files, "-", &l.Files}, {t.Rows, "-", &l.Rows}, {t.Changed, "", &l.Changed}, {t.Renamed, "", &l.Renamed}, {t.Incompressible, "", &l.Incompressible},
	} {
		if rule.text == "" {
			continue
		}
		if *rule.to, err = parseShare(rule.text, rule.sign); err != nil {
			return l, err
		}
	}
	return l, nil
}

// parseShare parses a share such as -30%, or off, which is 0.
func parseShare(text, sign string) (int, error) {
	if text == "off" {
		return 0, nil
	}
	digits, ok := strings.CutSuffix(strings.TrimPrefix(text, sign), "%")
	percent, err := strconv.Atoi(digits)
	if !ok || err != nil || percent < 1 || percent > 100 || strings.ContainsAny(digits, "+-") {
		return 0, catalog.Misuse("%q is neither a share such as %s30%% nor off", text, sign)
	}
	return percent, nil
}

func (t *Tripwire) check(d *decoder, path string) {
	if _, err := t.Limits(); err != nil {
		d.problemAt(path, "%v", err)
	}
}
