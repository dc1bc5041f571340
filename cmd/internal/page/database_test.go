package page

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/pipeline/backup"
	db "github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/databasetest"
	"github.com/packstone/packstone/pipeline/source"
	"github.com/packstone/packstone/pipeline/source/database"
)

// held is an engine whose database is in memory.
type held struct{ *databasetest.Source }

// OpenSource implements database.Driver.
func (h held) OpenSource(context.Context, db.Location, db.SourceOptions) (db.Source, error) {
	return h.Source, nil
}

// OpenTarget implements database.Driver.
func (h held) OpenTarget(context.Context, db.Location, db.TargetOptions) (db.Target, error) {
	return nil, errors.New("this is no target")
}

// shop is a database of a table with every kind of cell, and of one that does not change.
func shop(orders ...[]db.Cell) *databasetest.Source {
	key := &db.Key{Name: "orders_pkey", Columns: []string{"id"}}
	table := &db.Table{
		Name: "orders", Comment: "what <b>people</b> want", Order: key.Columns, PrimaryKey: key,
		Columns: []*db.Column{
			{Name: "id", NotNull: true, Type: db.Type{Kind: db.Int, Bits: 64, Native: "bigint"}},
			{Name: "paid", Type: db.Type{Kind: db.Bool, Native: "boolean"}},
			{Name: hostileName, Type: db.Type{Kind: db.Text, Native: "text"}, Default: &db.Expr{SQL: "'none'"}},
			{Name: "scan", Type: db.Type{Kind: db.Bytes, Native: "bytea"}},
		},
		ForeignKeys: []*db.ForeignKey{{Name: "of", Columns: []string{"id"}, RefTable: "steady", RefColumns: []string{"id"}}},
		Checks:      []*db.Check{{Name: "positive", Expr: db.Expr{SQL: "id > 0"}}},
		Indexes:     []*db.Index{{Name: "by_paid", Parts: []db.IndexPart{{Column: "paid", Desc: true}}, Where: &db.Expr{SQL: "paid"}}},
	}
	steady := &db.Table{Name: "steady", Columns: []*db.Column{{Name: "id", Type: db.Type{Kind: db.Int, Native: "int"}}}}
	return &databasetest.Source{
		Model: &db.Schema{Engine: db.Postgres, Version: "17", Tables: []*db.Table{table, steady}},
		Data:  map[string][][]db.Cell{"orders": orders, "steady": {{databasetest.Int(1)}}},
	}
}

func order(id int64, note string) []db.Cell {
	return []db.Cell{databasetest.Int(id), databasetest.Int(id % 2), databasetest.Text(note), databasetest.Blob(strings.Repeat("\x00\xff", int(id)))}
}

// takeDatabase backs a database up as the source shop of a set.
func (w *world) takeDatabase(of *databasetest.Source) {
	w.t.Helper()
	src, err := database.New(database.Options{Driver: held{of}})
	if err != nil {
		w.t.Fatal(err)
	}
	repo, err := w.open(catalog.Keys{})
	if err != nil {
		w.t.Fatal(err)
	}
	s, err := backup.Run(w.t.Context(), repo, backup.Options{Set: "platform", Host: "host", Jobs: []backup.Job{{
		Name: "shop", Type: databaseType, Location: "here", Open: func(context.Context) (source.Source, error) { return src, nil },
	}}})
	if err != nil {
		w.t.Fatal(err)
	}
	w.ids = append(w.ids, s.ID.String())
}

// ofShop is the address of a page of the last snapshot's database.
func (w *world) ofShop(path string, more ...string) string {
	q := url.Values{"id": {w.ids[len(w.ids)-1]}, "source": {"shop"}}
	for i := 0; i+1 < len(more); i += 2 {
		q.Set(more[i], more[i+1])
	}
	return path + "?" + q.Encode()
}

// shows fails unless a page is there and has all of this in it.
func (w *world) shows(target string, wanted ...string) {
	w.t.Helper()
	answer := w.get(target)
	if answer.Code != http.StatusOK {
		w.t.Fatalf("%s: %d: %s", target, answer.Code, answer.Body)
	}
	for _, want := range wanted {
		if !strings.Contains(answer.Body.String(), want) {
			w.t.Errorf("%s lacks %q: %s", target, want, answer.Body)
		}
	}
}

func TestADatabaseShowsItsTablesAndTheirChanges(t *testing.T) {
	w := newBareWorld(t, trusted)
	w.takeDatabase(shop(order(1, "one"), order(2, "two")))
	w.takeDatabase(shop(order(1, "one"), order(2, "2"), order(3, "three")))
	w.shows("/database", "postgres 17", ">orders</a>", ">steady</a>", "<code>id</code>")
	w.shows("/snapshot?id="+w.ids[0], "/database?id="+w.ids[0])
	w.shows(w.ofShop("/database", "before", w.ids[0]), `<span class="tag changed">changed</span>`, `<span class="tag same">same</span>`)
	var shown struct{ Tables []tableRow }
	answer := w.get(w.ofShop(apiPrefix+"database", "before", w.ids[0]))
	if err := json.Unmarshal(answer.Body.Bytes(), &shown); err != nil || len(shown.Tables) != 2 {
		t.Fatalf("%v: %s", err, answer.Body)
	}
	if r := shown.Tables[0]; r.Name != "orders" || r.Rows != 3 || r.Was != 2 || r.Columns != 4 || r.Change != "changed" {
		t.Errorf("got %+v", r)
	}
}

func TestATableShowsItsSchemaAndFirstRows(t *testing.T) {
	w := newBareWorld(t, trusted)
	null := order(3, "")
	null[2] = db.Cell{Class: db.ClassNull}
	w.takeDatabase(shop(order(1, hostileText), order(2, strings.Repeat("long ", 100)), null, order(40, "large")))
	target := w.ofShop("/table", "table", "orders")
	w.shows(target, "bigint", "bytea", "&#39;none&#39;", "orders_pkey", "→ <code>steady (id)</code>", "id &gt; 0", "paid descending", "where <code>paid</code>",
		"what &lt;b&gt;people", "&lt;img src=x", `<span class="null">NULL</span>`, "x'00ff", "…", "500 B", "true", "false")
	if body := w.get(target).Body.String(); strings.Contains(body, "<img") || strings.Contains(body, "<script>") {
		t.Errorf("what the database contains is not escaped: %s", body)
	}
}

func TestOnlyTheFirstRowsOfATableAreShown(t *testing.T) {
	w := newBareWorld(t, trusted)
	var many [][]db.Cell
	for id := range int64(20000) {
		many = append(many, order(id%9, fmt.Sprint("note ", id)))
		many[id][0] = databasetest.Int(id)
	}
	w.takeDatabase(shop(many...))
	w.takeDatabase(shop())
	w.shows(fmt.Sprintf("/table?id=%s&source=shop&table=orders", w.ids[0]), "note 99<", "first 100 of 20,000 rows")
	var shown struct{ Change *tableChange }
	answer := w.get(w.ofShop(apiPrefix+"table", "table", "orders", "before", w.ids[0]))
	if err := json.Unmarshal(answer.Body.Bytes(), &shown); err != nil {
		t.Fatal(err)
	}
	if c := shown.Change; c == nil || c.Removed != firstRows || len(c.Rows) != firstRows || !c.More {
		t.Errorf("got %s", answer.Body)
	}
	w.shows(w.ofShop("/table", "table", "orders", "before", w.ids[0]), "More rows differ; these are the first 100")
}

func TestMoreThanMayWaitIsSaidPlainly(t *testing.T) {
	w := newBareWorld(t, trusted)
	text := strings.Repeat("text", compareMemory>>16)
	for _, end := range []string{"", "!"} {
		all := shop()
		all.Data["steady"] = nil
		for id := range int64(1<<14 + 100) { // more than compareMemory, without a key
			all.Data["steady"] = append(all.Data["steady"], []db.Cell{databasetest.Int(id), databasetest.Text(text + end)})
		}
		steady := all.Model.Tables[1]
		steady.Columns = append(steady.Columns, &db.Column{Name: "text", Type: db.Type{Kind: db.Text, Native: "text"}})
		w.takeDatabase(all)
	}
	target := w.ofShop("/table", "table", "steady", "before", w.ids[0])
	w.shows(target, "More rows differ than this page compares", "packstone db diff "+w.ids[0][:12]+":shop")
	if body := w.get(target).Body.String(); strings.Contains(body, "Nothing differs") || strings.Contains(body, "No row differs") || strings.Contains(body, ">added<") {
		t.Errorf("it says what it does not know: %s", body)
	}
}

func TestLargeValuesAreComparedAndCut(t *testing.T) {
	w := newBareWorld(t, trusted)
	large := strings.Repeat("long ", db.LongBytes/4)
	w.takeDatabase(shop(order(1, large), order(2, large)))
	w.takeDatabase(shop(order(1, large), order(2, large+"!")))
	target := w.ofShop("/table", "table", "orders", "before", w.ids[0])
	w.shows(target, "<del>long long", "<ins>long long", "10.0 MiB")
	if body := w.get(target).Body.String(); len(body) > 100<<10 || strings.Count(body, `<tr class="changed">`) != 1 {
		t.Errorf("the page has %d bytes, or not one row that has changed", len(body))
	}
}

func TestRowsThatDifferAreShown(t *testing.T) {
	w := newBareWorld(t, trusted)
	w.takeDatabase(shop(order(1, "one"), order(2, "two"), order(3, "three")))
	w.takeDatabase(shop(order(1, "one"), order(2, "2"), order(4, "four")))
	w.shows(w.ofShop("/table", "table", "orders", "before", w.ids[0]), "<del>two</del> <ins>2</ins>", `<tr class="added">`, `<tr class="removed">`, "four", "three")
	w.shows(w.ofShop("/table", "table", "steady", "before", w.ids[0]), "Nothing differs.")
	other := shop()
	other.Model.Engine, other.Model.Tables = db.MySQL, other.Model.Tables[1:]
	w.takeDatabase(other)
	w.now = w.now.Add(stale) // so that the page reads the records again
	w.shows(w.ofShop("/database", "before", w.ids[0]), `<span class="tag removed">removed</span>`)
	for target, code := range map[string]int{
		w.ofShop("/table", "table", "steady", "before", w.ids[0]):               http.StatusBadRequest, // another engine
		w.ofShop("/table", "table", "orders"):                                   http.StatusBadRequest, // gone
		w.ofShop("/table"):                                                      http.StatusBadRequest,
		w.ofShop("/database", "source", "other"):                                http.StatusBadRequest,
		"/database?source=shop&id=" + w.ids[0] + "&before=" + w.ids[1]:          http.StatusBadRequest, // a later one
		"/table?source=shop&table=steady&id=" + w.ids[0] + "&before=ffffffffff": http.StatusNotFound,
	} {
		if answer := w.get(target); answer.Code != code {
			t.Errorf("%s: %d, want %d: %s", target, answer.Code, code, answer.Body)
		}
	}
}

func TestNothingOfADatabaseIsShownWithoutAnIdentity(t *testing.T) {
	w := newBareWorld(t, Guard{})
	w.takeDatabase(shop(order(1, "one")))
	for _, target := range []string{"/database", w.ofShop("/table", "table", "orders")} {
		if answer := w.get(target); answer.Code != http.StatusSeeOther || !strings.HasPrefix(answer.Header().Get("Location"), "/unlock?") {
			t.Errorf("%s: %d, want the form for an identity", target, answer.Code)
		}
	}
}
