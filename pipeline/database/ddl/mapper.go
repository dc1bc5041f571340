package ddl

import (
	"fmt"
	"slices"
	"strings"

	"github.com/packstone/packstone/pipeline/database"
)

// Mapping is a plan with what it was made of. The plan's Detail is a *Steps.
type Mapping struct {
	Plan   *database.Plan
	Steps  *Steps
	Drafts []*Draft
	// Clash is a table whose name is taken by what is there; empty: there is none.
	Clash string
}

// Draft is a table on its way.
type Draft struct {
	*database.PlannedTable
	Types  []Mapped // of its columns
	Create string   // CREATE TABLE
	Checks []Clause // those that Create holds
	// Foreign are the source's foreign keys that Target has too, in its order.
	Foreign []*database.ForeignKey
	names   map[string]string
}

// Clause is a check inside CREATE TABLE.
type Clause struct {
	Object    database.ObjectID
	Condition string
	SQL       string // with its name
}

// Column gives the type of a column by its name in the source; nil if there is none.
func (d *Draft) Column(name string) *Mapped {
	if i := slices.IndexFunc(d.Source.Columns, func(c *database.Column) bool { return c.Name == name }); i >= 0 {
		return &d.Types[i]
	}
	return nil
}

// renamed gives the target's names of columns.
func (d *Draft) renamed(columns []string) []string {
	if columns == nil {
		return nil
	}
	out := make([]string, len(columns))
	for i, c := range columns {
		out[i] = d.names[c]
	}
	return out
}

// mapper makes the statements of one schema.
type mapper struct {
	*Dialect
	source *database.Schema
	opts   database.PlanOptions
	native bool // names, types and expressions stay as they are
	taken  taken
	drafts []*Draft
	out    *database.Plan
	free   []*wish         // names of sequences that no column owns
	counts map[string]bool // sequences that go on counting, by ID

	statements, late []Statement
	sequences        map[string]string
	clash            string // a table whose name is taken
}

func (d *Dialect) mapper(s *database.Schema, opts database.PlanOptions) *mapper {
	return &mapper{
		Dialect: d, source: s, opts: opts, taken: taken{rules: d.Names, names: map[string]bool{}},
		counts: map[string]bool{}, sequences: map[string]string{},
		out: &database.Plan{Source: s, Loaders: 1, LooseActions: d.LooseActions},
	}
}

// Map plans a schema anew, whatever engine it is of.
func (d *Dialect) Map(s *database.Schema, opts database.PlanOptions) *Mapping {
	m := d.mapper(s, opts)
	m.make()
	m.implied()
	steps := stepsOf(m.statements, m.sequences)
	m.out.Detail = steps
	return &Mapping{Plan: m.out, Steps: steps, Drafts: m.drafts, Clash: m.clash}
}

// Spell makes the statements of a schema of the dialect's own engine.
func (d *Dialect) Spell(s *database.Schema) []Statement {
	m := d.mapper(s, database.PlanOptions{})
	m.native = true
	m.make()
	return m.statements
}

func (m *mapper) make() {
	m.nameRelations()
	m.schemas()
	for i, q := range m.freeSequences() {
		m.sequence(q, m.free[i].name)
	}
	for _, d := range m.drafts {
		m.types(d)
	}
	if m.Settle != nil {
		m.Settle(m.drafts)
	}
	for _, d := range m.drafts {
		m.table(d)
	}
	m.statements = append(m.statements, m.late...)
}

// add makes a statement.
func (m *mapper) add(id database.ObjectID, phase database.Phase, sql string) {
	m.statements = append(m.statements, Statement{Object: id, Phase: phase, SQL: sql, Vital: !plainIndex(id, sql)})
}

// alter is a statement that adds something to a table after the rows.
func (m *mapper) alter(id database.ObjectID, t *database.Table, what string) Statement {
	return Statement{
		Object: id, Phase: database.AfterData, Vital: true, Table: t.Name, Adds: what,
		SQL: "ALTER TABLE " + m.Qualified(t.Schema, t.Name) + " ADD " + what,
	}
}

// settle says what became of an object: it is exact unless one of the losses is one.
func (m *mapper) settle(id database.ObjectID, losses ...database.Finding) {
	exact := true
	for _, f := range losses {
		if f.Code != "" {
			f.Object, exact = id, false
			m.out.Findings = append(m.out.Findings, f)
		}
	}
	if exact {
		m.out.Findings = append(m.out.Findings, database.Finding{Object: id, Status: database.Exact})
	}
}

// weaker is what is said of an object that is there and not quite what it was; nothing for no
// reason.
func weaker(code database.Code, reason string) database.Finding {
	if reason == "" {
		return database.Finding{}
	}
	return database.Finding{Status: database.Approximated, Code: code, Reason: reason}
}

// aside is what is said of an object that has no place here.
func aside(code database.Code, reason string) database.Finding {
	return database.Finding{Status: database.SidecarOnly, Code: code, Reason: reason}
}

// renaming is what is said of a name that was changed.
func (m *mapper) renaming(from, to string) database.Finding {
	if m.native || from == to || m.Around != nil && m.Names.Legal(from) == from {
		return database.Finding{}
	}
	return weaker(database.CodeRenamed, fmt.Sprintf("it is called %s here: %s", to, m.Names.why(from, to)))
}

// wish is a name that something would like to have.
type wish struct {
	in           where
	asked, legal string
	name         string // what it gets
	granted      bool
}

// grant gives names: first to all that can have the one that they asked for.
func (m *mapper) grant(wishes []*wish) {
	for _, w := range wishes {
		if w.granted = m.native || w.legal == w.asked && m.taken.free(w.in, w.legal); w.granted {
			w.name = m.name(w.in, w.asked)
		}
	}
	for _, w := range wishes {
		if !w.granted {
			w.name = m.taken.take(w.in, w.legal)
		}
	}
}

// name gives one name; natively the one that was asked for.
func (m *mapper) name(in where, asked string) string {
	if m.native {
		return asked
	}
	return m.taken.take(in, m.Names.Legal(asked))
}

// nameRelations names tables, sequences and columns.
func (m *mapper) nameRelations() {
	for _, name := range m.Names.Used {
		m.taken.take(spacesOf(m.Spaces.Tables, m.Namespace, ""), name)
	}
	m.holdNames()
	var all []*wish
	ask := func(spaces []Space, schema, name string, reserved bool) (*wish, string) {
		to, prefix := m.place(schema)
		w := &wish{in: spacesOf(spaces, to, ""), asked: prefix + name}
		if w.legal = w.asked; reserved {
			w.legal = m.Names.legalTable(w.asked)
		}
		all = append(all, w)
		return w, to
	}
	tables := make([]*wish, len(m.source.Tables))
	schemas := make([]string, len(m.source.Tables))
	for i, t := range m.source.Tables {
		tables[i], schemas[i] = ask(m.Spaces.Tables, t.Schema, t.Name, t.Role == database.Data)
	}
	for _, q := range m.freeSequences() {
		w, _ := ask(m.Spaces.Sequences, q.Schema, q.Name, true)
		m.free = append(m.free, w)
	}
	m.refuseTaken(tables)
	m.grant(all)
	for i, t := range m.source.Tables {
		m.draft(t, schemas[i], tables[i])
	}
}

// freeSequences are those that no column owns, where the engine has such.
func (m *mapper) freeSequences() []*database.Sequence {
	var out []*database.Sequence
	for _, q := range m.source.Sequences {
		if q.OwnerTable == "" && m.Sequence != nil {
			out = append(out, q)
		}
	}
	return out
}

// columns are what Columns names.
var columns = []Space{Columns}

// draft begins a table, with its columns' names.
func (m *mapper) draft(src *database.Table, schema string, w *wish) {
	if len(src.Columns) == 0 && !m.Columnless && !m.native {
		m.settle(src.ObjectID(), database.Finding{Status: database.Dropped, Code: database.CodeTableLost, Reason: "a table needs a column here"})
		return
	}
	t := &database.Table{Schema: schema, Name: w.name, Role: src.Role}
	d := &Draft{PlannedTable: &database.PlannedTable{Source: src, Target: t}, names: map[string]string{}}
	m.drafts = append(m.drafts, d)
	m.out.Tables = append(m.out.Tables, d.PlannedTable)
	wishes := make([]*wish, len(src.Columns))
	for i, c := range src.Columns {
		wishes[i] = &wish{in: spacesOf(columns, t.Schema, t.Name), asked: c.Name, legal: m.Names.legalColumn(src, c.Name)}
	}
	m.grant(wishes)
	for i, c := range src.Columns {
		d.names[c.Name] = wishes[i].name
	}
	t.Order = d.renamed(src.Order)
	lost := ""
	if src.Role != database.Data {
		lost = m.LargeObjectsLost
	}
	m.settle(src.ObjectID(), m.renaming(w.asked, w.name), weaker(database.CodeLargeObjects, lost), weaker(database.CodeTableTrait, m.formLost(src)))
}

// place says where a schema's objects go and what their names begin with.
func (m *mapper) place(schema string) (to, prefix string) {
	switch {
	case m.native:
		return schema, ""
	case schema == "" || schema == m.source.Namespace:
		return m.Namespace, ""
	case !m.Schemas:
		return m.Namespace, schema + "__"
	}
	return m.Names.Legal(schema), ""
}

// schemas makes the schemas that something goes to, and says what became of the others.
func (m *mapper) schemas() {
	done := map[string]bool{"": true, m.source.Namespace: true}
	make := func(from string) {
		if done[from] {
			return
		}
		done[from] = true
		id := database.ObjectID{Kind: "schema", Name: from}
		if !m.Schemas {
			m.settle(id, weaker(database.CodeSchemaJoined, "there are no schemas here: its tables are called "+from+"__…"))
			return
		}
		to, _ := m.place(from)
		if to != m.Namespace {
			m.add(id, database.BeforeTables, "CREATE SCHEMA "+m.Quote(to))
		}
		m.settle(id, m.renaming(from, to))
	}
	if m.native {
		return
	}
	for _, t := range m.source.Tables {
		make(t.Schema)
	}
	for _, q := range m.freeSequences() {
		make(q.Schema)
	}
}

// sequence makes a counter that stands alone.
func (m *mapper) sequence(q *database.Sequence, name string) {
	schema, prefix := m.place(q.Schema)
	id := database.ObjectID{Kind: "sequence", Schema: q.Schema, Name: q.Name}
	m.counts[q.ID()] = true
	m.sequences[q.ID()] = m.Qualified(schema, name)
	m.add(id, database.BeforeTables, m.Sequence(m.sequences[q.ID()], q))
	m.settle(id, m.renaming(prefix+q.Name, name))
}

// implied says what other words already say, and what is left of counters.
func (m *mapper) implied() {
	said := map[database.ObjectID]bool{}
	if m.source.Namespace != "" {
		said[database.ObjectID{Kind: "schema", Name: m.source.Namespace}] = true
	}
	comments := m.Comment != nil || m.Remark != nil
	for _, d := range m.drafts {
		t := d.Source
		said[database.ObjectID{Kind: "comment", Name: "table " + t.ID()}] = comments && t.Comment != ""
		for i, c := range t.Columns {
			said[t.Part("default", c.Name)] = d.Target.Columns != nil && d.Target.Columns[i].Identity != nil
			said[database.ObjectID{Kind: "comment", Name: "table column " + t.ID() + "." + c.Name}] = comments && c.Comment != ""
		}
	}
	for _, o := range m.source.Objects {
		if said[o.ObjectID] {
			m.settle(o.ObjectID)
		}
	}
	for _, q := range m.source.Sequences {
		if m.counts[q.ID()] {
			continue
		}
		reason := "no column counts by it here; its state is kept beside the data"
		if q.OwnerTable == "" {
			reason = "there are no sequences here; its state is kept beside the data"
		}
		m.settle(database.ObjectID{Kind: "sequence", Schema: q.Schema, Name: q.Name}, aside(database.CodeSequenceLost, reason))
	}
}

// find gives the draft of a table.
func (m *mapper) find(schema, name string) *Draft {
	plain := func(schema string) string {
		if schema == m.source.Namespace {
			return ""
		}
		return schema
	}
	for _, d := range m.drafts {
		if d.Source.Name == name && plain(d.Source.Schema) == plain(schema) {
			return d
		}
	}
	return nil
}

// Parent gives the draft, of those given, to which a foreign key refers; nil: none.
func Parent(drafts []*Draft, k *database.ForeignKey) *Draft {
	i := slices.IndexFunc(drafts, func(d *Draft) bool { return d.Source.Name == k.RefTable && d.Source.Schema == k.RefSchema })
	if i < 0 {
		return nil
	}
	return drafts[i]
}

// derived is a name for a part of a table that has none.
func derived(t *database.Table, columns []string, end string) string {
	return strings.Join(slices.Concat([]string{t.Name}, columns, []string{end}), "_")
}
