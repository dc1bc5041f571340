package page

import (
	"context"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/cmd/internal/output"
	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/rowdiff"
	"github.com/packstone/packstone/pipeline/database/rows"
)

// tables are the tables of a database in a snapshot.
type tables struct {
	stored
	Databases []databaseChoice `json:"databases,omitempty"` // of the snapshot
	Engine    output.Name      `json:"engine"`
	Version   output.Name      `json:"version"`
	Tables    []tableRow       `json:"tables,omitempty"`
	Next      string           `json:"next"` // the name to go on after; "": these are all
	MoreURL   string           `json:"-"`
}

// stored is a database in a snapshot, and an earlier snapshot with which it is compared.
type stored struct {
	spot
	Before      *row   `json:"before,omitempty"`
	Choices     []row  `json:"choices,omitempty"` // earlier snapshots that have the database
	DatabaseURL string `json:"-"`
	Kept        []kept `json:"-"` // of the address, when another earlier snapshot is chosen

	was *catalog.Snapshot // Before
}

// kept is a parameter that a form sends again.
type kept struct{ Name, Value string }

// databaseChoice is a database of a snapshot.
type databaseChoice struct {
	Name output.Name `json:"name"`
	Here bool        `json:"here"`
	Link string      `json:"-"`
}

// tableRow is a table in a list.
type tableRow struct {
	Name    output.Name `json:"name"`
	Rows    int64       `json:"rows"`
	Bytes   int64       `json:"bytes"` // as its rows are stored, before compression
	Columns int         `json:"columns"`
	Key     output.Name `json:"key"`    // the columns of the primary key
	Change  string      `json:"change"` // since the earlier snapshot: same, added, changed or removed
	Was     int64       `json:"was"`    // rows in the earlier snapshot
	Link    string      `json:"-"`
}

// Limits of what a page shows of a database, and of the time that it reads for.
const (
	tablesShown  = 500
	databaseTime = 20 * time.Second
)

// databaseType is the type of sources that are stored as rows.
const databaseType = "database"

func (v *visit) tables() (any, error) {
	here, err := v.stored()
	if err != nil || here.at.Snapshot == nil {
		return &tables{stored: *here}, err
	}
	ctx, cancel := context.WithTimeout(v.r.Context(), databaseTime)
	defer cancel()
	is, err := v.openDatabase(ctx, here.at.Snapshot, string(here.Source))
	if err != nil {
		return nil, err
	}
	all := &tables{stored: *here, Tables: []tableRow{}, Engine: output.Name(is.schema.Engine), Version: output.Name(is.schema.Version)}
	all.offerDatabases(v)
	var was *openDatabase
	if here.was != nil {
		if was, err = v.openDatabase(ctx, here.was, string(here.Source)); err != nil {
			return nil, err
		}
	}
	all.list(v, is, was)
	return all, nil
}

// stored finds the database that the parameters name: without a snapshot in the newest that has
// one, and without a source the first one. A repository without databases gives an empty place.
func (v *visit) stored() (*stored, error) {
	k, err := v.readable()
	if err != nil {
		return &stored{}, err
	}
	name := v.r.FormValue("source")
	if v.r.FormValue("id") == "" {
		s := newestDatabase(k, name)
		if s == nil {
			return &stored{}, nil
		}
		v.r.Form.Set("id", s.ID.String())
	}
	s, err := v.chosen(k, "id")
	if err != nil {
		return &stored{}, err
	}
	if name == "" {
		name = databaseOf(s, "")
	}
	if name == "" || databaseOf(s, name) == "" {
		return &stored{}, catalog.Misuse("snapshot %s has no database %s", s.ShortID(), output.Name(name))
	}
	v.r.Form.Set("source", name)
	v.r.Form.Del("path")
	here, err := v.spot()
	if err != nil {
		return &stored{}, err
	}
	out := &stored{spot: *here}
	out.DatabaseURL = v.link("/database", "id", out.ID, "source", name, "before", v.r.FormValue("before"))
	for _, name := range []string{"in", "id", "source", "table"} {
		if value := v.r.FormValue(name); value != "" {
			out.Kept = append(out.Kept, kept{name, value})
		}
	}
	return out, out.compareWith(v, k)
}

// newestDatabase is the newest snapshot with a database of this name, or with any.
func newestDatabase(k *known, name string) *catalog.Snapshot {
	for i := len(k.snapshots) - 1; i >= 0; i-- {
		if databaseOf(k.snapshots[i], name) != "" {
			return k.snapshots[i]
		}
	}
	return nil
}

// databaseOf is the name of a source that is a database: this one, or the first; "" if there is none.
func databaseOf(s *catalog.Snapshot, name string) string {
	for i := range s.Sources {
		if source := &s.Sources[i]; source.Type == databaseType && (name == "" || source.Name == name) {
			return source.Name
		}
	}
	return ""
}

// compareWith finds the earlier snapshot that is named, and offers others.
func (here *stored) compareWith(v *visit, k *known) (err error) {
	s, name := here.at.Snapshot, string(here.Source)
	of := k.of(s.Set, s.Host)
	for i := len(of) - 1; i >= 0 && len(here.Choices) < 200; i-- {
		if of[i] != s && !of[i].Time.After(s.Time) && databaseOf(of[i], name) != "" {
			here.Choices = append(here.Choices, v.row(k, of[i]))
		}
	}
	if v.r.FormValue("before") == "" {
		return nil
	}
	if here.was, err = v.chosen(k, "before"); err != nil {
		return err
	}
	if here.was.Time.After(s.Time) {
		return catalog.Misuse("snapshot %s is later than %s: name an earlier one", here.was.ShortID(), s.ShortID())
	}
	before := v.row(k, here.was)
	here.Before = &before
	return nil
}

// openDatabase is the database of a snapshot, opened to read rows.
type openDatabase struct {
	database.Source
	schema *database.Schema
}

// openDatabase opens a database of a snapshot, which can be read until ctx ends.
func (v *visit) openDatabase(ctx context.Context, s *catalog.Snapshot, name string) (*openDatabase, error) {
	source, ok := s.Source(name)
	if !ok || source.Type != databaseType {
		return nil, catalog.Misuse("snapshot %s has no database %s", s.ShortID(), output.Name(name))
	}
	b := v.shelf().newBrowser(v.shelf().opened())
	t, err := b.Tree(s, source)
	if err != nil {
		return nil, err
	}
	fetcher, err := b.Fetcher(s)
	if err != nil {
		return nil, err
	}
	opened, err := rows.Open(fetcher.Files(ctx, t), database.SourceOptions{Aside: v.Aside()})
	if err != nil {
		return nil, fmt.Errorf("open database %s of snapshot %s: %w", output.Name(name), s.ShortID(), err)
	}
	schema, err := opened.Schema(ctx)
	return &openDatabase{opened, schema}, err
}

// StoredRows implements rowdiff.Recorded.
func (o *openDatabase) StoredRows(table string) (int64, database.Digest, bool) {
	if r, ok := o.Source.(rowdiff.Recorded); ok {
		return r.StoredRows(table)
	}
	return 0, database.Digest{}, false
}

func (all *tables) offerDatabases(v *visit) {
	for i := range all.at.Snapshot.Sources {
		if source := &all.at.Snapshot.Sources[i]; source.Type == databaseType {
			all.Databases = append(all.Databases, databaseChoice{output.Name(source.Name), source.Name == string(all.Source), v.link("/database", "id", all.ID, "source", source.Name)})
		}
	}
}

// list lists the tables, and how each has changed if there is an earlier snapshot to compare with.
func (all *tables) list(v *visit, is, was *openDatabase) {
	after := v.r.FormValue("after")
	for _, t := range all.both(is, was) {
		id := t.ID()
		if id <= after {
			continue
		}
		if len(all.Tables) == tablesShown {
			all.Next = string(all.Tables[tablesShown-1].Name)
			all.MoreURL = v.link("/database", "id", all.ID, "source", string(all.Source), "before", v.r.FormValue("before"), "after", all.Next)
			return
		}
		r := tableRow{Name: output.Name(id), Rows: t.EstimatedRows, Bytes: t.EstimatedBytes, Columns: len(t.Columns)}
		if t.PrimaryKey != nil {
			r.Key = output.Name(strings.Join(t.PrimaryKey.Columns, ", "))
		}
		r.compare(t, is, was)
		if r.Change != "removed" {
			r.Link = v.link("/table", "id", all.ID, "source", string(all.Source), "table", id, "before", v.r.FormValue("before"))
		}
		all.Tables = append(all.Tables, r)
	}
}

// both are the tables of a database, and those that only the earlier snapshot has, by name.
func (*tables) both(is, was *openDatabase) []*database.Table {
	all := append([]*database.Table{}, is.schema.Tables...)
	if was != nil {
		for _, t := range was.schema.Tables {
			if is.schema.FindAlike(was.schema, t) == nil {
				all = append(all, t)
			}
		}
	}
	return byID(all)
}

// compare says how a table has changed, by what was recorded of its rows.
func (r *tableRow) compare(t *database.Table, is, was *openDatabase) {
	if was == nil {
		return
	}
	if is.schema.Find(t.ID()) != t {
		r.Change, r.Was, r.Rows = "removed", r.Rows, 0
		return
	}
	old := was.schema.FindAlike(is.schema, t)
	if old == nil {
		r.Change = "added"
		return
	}
	now, digest, _ := is.StoredRows(t.ID())
	then, other, _ := was.StoredRows(old.ID())
	r.Change, r.Was = "changed", then
	if now == then && digest == other && reflect.DeepEqual(t.Columns, old.Columns) {
		r.Change = "same"
	}
}
