package ddl

import (
	"fmt"
	"strings"

	"github.com/packstone/packstone/pipeline/database"
)

// Around is what a database holds beside which tables are made.
type Around struct {
	Schema *database.Schema
	// Tables and Constraints are names in use, by schemas: those of all that shares a name space
	// with tables, and those of constraints where they share one.
	Tables, Constraints []Taken
}

// Taken is a name in use.
type Taken struct{ Schema, Name string }

// Refuse is an error if a table's name is taken.
func (m *Mapping) Refuse() error {
	if m.Clash == "" {
		return nil
	}
	return fmt.Errorf("%w: %s is there already: give the table another name with --as, or put missing rows back into it with --into-existing", database.ErrTaken, m.Clash)
}

// holdNames notes the names that are in use.
func (m *mapper) holdNames() {
	if m.Around == nil {
		return
	}
	for _, t := range m.Around.Tables {
		m.taken.hold(spacesOf(m.Spaces.Tables, t.Schema, ""), t.Name)
	}
	for _, t := range m.Around.Constraints {
		m.taken.hold(spacesOf(m.Spaces.Foreign, t.Schema, ""), t.Name)
	}
}

// refuseTaken finds a table that cannot have its name.
func (m *mapper) refuseTaken(wishes []*wish) {
	if m.Around == nil {
		return
	}
	for _, w := range wishes {
		if !m.taken.free(w.in, w.legal) {
			m.clash = w.legal
		}
	}
}

// outside is a table that is there, to which a foreign key can refer; nil: there is none.
func (m *mapper) outside(k *database.ForeignKey) *database.Table {
	if m.Around == nil {
		return nil
	}
	t := m.Around.Schema.FindAlike(m.source, &database.Table{Schema: k.RefSchema, Name: k.RefTable})
	if t == nil || !m.referable(t, k.RefColumns) {
		return nil
	}
	return t
}

// forms are what a statement says of a table that is made beside others without it.
var forms = []struct{ says, lost string }{
	{"PARTITION BY", "it has no partitions here"},
	{"INHERITS (", "it inherits from no table here"},
	{"UNLOGGED TABLE", "it is logged here"},
	{"WITH SYSTEM VERSIONING", "it keeps no history here"},
}

// formLost says what of a table's own statement is lost.
func (m *mapper) formLost(t *database.Table) string {
	if m.Around == nil {
		return ""
	}
	for _, o := range m.source.Objects {
		if o.ObjectID != t.ObjectID() {
			continue
		}
		for _, f := range forms {
			if strings.Contains(strings.Join(o.DDL, " "), f.says) {
				return f.lost
			}
		}
	}
	return ""
}
