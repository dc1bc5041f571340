package config

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/packstone/packstone/pipeline/database"
)

// Drill says how the restore of a set is drilled.
type Drill struct {
	Directory string            `yaml:"directory,omitempty" doc:"The directory below which scratch places are made. Without it, packstone-drill-UID in /var/tmp."`
	Scratch   map[string]string `yaml:"scratch,omitempty" doc:"Where databases are restored to, by source: postgres, mariadb or sqlite, or the path of a file that holds the URL of a database, beside which a new one is made and dropped. Without it, a server of the source's own engine if that is installed, else sqlite."`
	Assert    []Assertion       `yaml:"assert,omitempty" doc:"What must be so of what was restored."`
	Timeout   string            `yaml:"timeout,omitempty" doc:"How long each command may take, such as 90s or 2h; then it is ended, and has failed. 1h if it is not named."`
}

// Assertion is what must be so of what was restored.
type Assertion struct {
	Source  string   `yaml:"source,omitempty" doc:"The database that sql is asked."`
	SQL     string   `yaml:"sql,omitempty" doc:"A query whose first value is compared with want."`
	Want    string   `yaml:"want,omitempty" doc:"The value that is wanted. Without it, 1, or true."`
	Command []string `yaml:"command,omitempty" doc:"A program with its arguments, that must end with 0. No shell is involved. Variables name the scratch places."`
}

// drillTimeout is how long a command of an assertion may take if nobody says it.
const drillTimeout = time.Hour

// Limit is how long each command may take.
func (d Drill) Limit() time.Duration {
	if limit := period(d.Timeout); limit > 0 {
		return limit
	}
	return drillTimeout
}

// holdsCommands tells whether an assertion is a program.
func (d Drill) holdsCommands() bool {
	return slices.ContainsFunc(d.Assert, func(a Assertion) bool { return len(a.Command) > 0 })
}

// scratchEngines are the databases that a drill can make by itself.
var scratchEngines = []string{database.Postgres, database.MariaDB, database.SQLite}

// ScratchEngine is the engine that a setting of scratch names; "" if it names a file.
func ScratchEngine(place string) string {
	if slices.Contains(scratchEngines, place) {
		return place
	}
	return ""
}

// checkDrill judges how a set is drilled, and makes its paths absolute.
func (c *Config) checkDrill(d *decoder, path string, set *Set) {
	drill := &set.Drill
	drill.Directory = d.resolve(drill.Directory)
	d.checkPeriod(path+".timeout", drill.Timeout)
	for _, source := range slices.Sorted(maps.Keys(drill.Scratch)) {
		place := drill.Scratch[source]
		at := join(path+".scratch", source)
		switch {
		case !c.isDatabaseOf(set, source):
			d.problemAt(at, "is no database of the set; these are: %s", strings.Join(c.databasesOf(set), ", "))
		case ScratchEngine(place) == "" && !strings.Contains(place, "/"):
			d.problemAt(at, "%q is neither of %s, nor the path of a file with a URL", place, strings.Join(scratchEngines, ", "))
		case ScratchEngine(place) == "":
			drill.Scratch[source] = d.resolve(place)
		}
	}
	for i, a := range drill.Assert {
		if why := c.wrongAssertion(set, a); why != "" {
			d.problemAt(path+".assert", "number %d: %s", i+1, why)
		}
	}
}

// wrongAssertion says what is wrong with an assertion, "" if nothing is.
func (c *Config) wrongAssertion(set *Set, a Assertion) string {
	switch {
	case (a.SQL == "") == (len(a.Command) == 0):
		return "want either sql or command"
	case len(a.Command) > 0 && (a.Source != "" || a.Want != ""):
		return "source and want go with sql"
	case len(a.Command) > 0 && a.Command[0] == "":
		return "the command is empty"
	case a.SQL != "" && !c.isDatabaseOf(set, a.Source):
		return "source " + `"` + a.Source + `"` + " is no database of the set; these are: " + strings.Join(c.databasesOf(set), ", ")
	}
	return ""
}

func (c *Config) isDatabaseOf(set *Set, source string) bool {
	return slices.Contains(c.databasesOf(set), source)
}

// databasesOf are the sources of a set that are databases.
func (c *Config) databasesOf(set *Set) (names []string) {
	for _, name := range set.Sources {
		if c.Sources[name].Type == "database" {
			names = append(names, name)
		}
	}
	return names
}

// DrillJob drills a set.
type DrillJob struct {
	Timing `yaml:",inline"`
	Set    string `yaml:"set,omitempty" doc:"The set whose newest complete snapshot is restored to scratch places, and compared."`
	Any    bool   `yaml:"any,omitempty" doc:"Choose the snapshot by chance, instead of the newest one."`
}

// checkDrillJob judges which set is drilled on schedule.
func (c *Config) checkDrillJob(d *decoder) {
	j, path := c.Jobs.Drill, "jobs.drill"
	if d.lines[path] == 0 {
		return
	}
	if _, known := c.Sets[j.Set]; j.Set == "" {
		d.problemAt(path, "set is missing: which set is drilled")
	} else if !known {
		d.problemAt(path+".set", "there is no set %q; these are known: %s", j.Set, strings.Join(c.SetNames(), ", "))
	}
}
