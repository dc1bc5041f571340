package drill

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/entry"
)

// assertAll finds out whether what the operator wants is so.
func (d *drill) assertAll(ctx context.Context) error {
	if len(d.Assertions) == 0 {
		return nil
	}
	return d.step(ctx, "assert", true, func(ctx context.Context) error {
		for _, a := range d.Assertions {
			found := d.assert(ctx, a)
			d.report.Assertions = append(d.report.Assertions, found)
			if err := ctx.Err(); err != nil {
				return context.Cause(ctx)
			}
			if !found.Holds {
				d.fail("%s", wordsOf(found))
			}
		}
		return nil
	})
}

// assert finds out whether one thing is so.
func (d *drill) assert(ctx context.Context, a Assertion) catalog.DrillAssertion {
	begun := time.Now()
	found := catalog.DrillAssertion{Source: a.Source, SQL: a.SQL, Command: a.Command}
	var err error
	if len(a.Command) > 0 {
		err = d.Command(ctx, a.Command, d.variables())
	} else {
		if found.Want = a.Want; a.Want == "" {
			found.Want = "1"
		}
		found.Got, err = d.ask(ctx, a)
		if err == nil && !sameValue(found.Got, found.Want) {
			err = fmt.Errorf("it is %s, not %s", found.Got, found.Want)
		}
	}
	if err != nil {
		found.Error = err.Error()
	}
	found.Holds, found.Seconds = err == nil, time.Since(begun).Seconds()
	return found
}

// wordsOf says that something is not so.
func wordsOf(a catalog.DrillAssertion) string {
	what := strings.Join(a.Command, " ")
	if a.SQL != "" {
		what = a.Source + ": " + strings.Join(strings.Fields(a.SQL), " ")
	}
	return "assertion does not hold: " + entry.Printable(what) + ": " + a.Error
}

// null is what a value is called that is not there.
const null = "NULL"

// ask runs SQL in the scratch database of a source.
func (d *drill) ask(ctx context.Context, a Assertion) (value string, err error) {
	for p := range d.restored() {
		if p.source.Name != a.Source || !p.isDatabase() {
			continue
		}
		session, err := p.asker.OpenSession(ctx, p.at)
		if err != nil {
			return "", err
		}
		value, found, err := session.Ask(ctx, a.SQL)
		if !found {
			value = null
		}
		return value, errors.Join(err, session.Close())
	}
	return "", fmt.Errorf("no database %s was restored", a.Source)
}

// truths are the values by which engines say yes and no.
var truths = map[string]string{"t": "1", "true": "1", "f": "0", "false": "0"}

// sameValue compares a value of SQL with the wanted one. Yes and no are spelled as any engine does.
func sameValue(got, want string) bool {
	plain := func(value string) string {
		if number, is := truths[strings.ToLower(value)]; is {
			return number
		}
		return value
	}
	return got == want || plain(got) == plain(want)
}

// variables tell commands where the scratch places are.
func (d *drill) variables() []string {
	all := []string{"PACKSTONE_DRILL=" + d.room.sources(), "PACKSTONE_DRILL_SNAPSHOT=" + d.Snapshot.ID.String()}
	for p := range d.restored() {
		all = append(all, p.variable()+"="+p.value())
	}
	return all
}
