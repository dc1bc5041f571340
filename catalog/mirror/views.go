package mirror

import (
	"strings"
)

// tables is the schema of the tables behind the views.
const tables = `
CREATE TABLE _state(key TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;
CREATE TABLE _record(id TEXT PRIMARY KEY, object TEXT, writer TEXT, lane INTEGER, sequence INTEGER, kind TEXT, time TEXT, stored TEXT,
	domain INTEGER, config INTEGER, program TEXT) WITHOUT ROWID;
CREATE TABLE _snapshot(id TEXT PRIMARY KEY, time TEXT, set_name TEXT, host TEXT, user TEXT, writer TEXT, started TEXT, finished TEXT, stored TEXT,
	parent TEXT, program TEXT, complete INTEGER, claimed TEXT, undated INTEGER, standing TEXT) WITHOUT ROWID;
CREATE TABLE _source(id INTEGER PRIMARY KEY, snapshot TEXT, name TEXT, type TEXT, location TEXT, paths TEXT, moment TEXT, finished TEXT,
	files INTEGER, directories INTEGER, others INTEGER, bytes INTEGER, files_new INTEGER, files_changed INTEGER, files_unmodified INTEGER,
	missed INTEGER, filled INTEGER NOT NULL DEFAULT 0, UNIQUE(snapshot, name));
CREATE TABLE _tag(snapshot TEXT, tag TEXT, PRIMARY KEY(snapshot, tag)) WITHOUT ROWID;
CREATE TABLE _run(id TEXT PRIMARY KEY, record TEXT, packs INTEGER, chunks INTEGER) WITHOUT ROWID;
CREATE TABLE _pack(id TEXT, run TEXT, kind TEXT, bytes INTEGER, chunks INTEGER, raw_bytes INTEGER, compressed_bytes INTEGER,
	PRIMARY KEY(id, run)) WITHOUT ROWID;
CREATE INDEX _pack_run ON _pack(run);
CREATE TABLE _file(source INTEGER, path TEXT, type TEXT, size INTEGER, mtime INTEGER, mode INTEGER, uid INTEGER, gid INTEGER,
	owner TEXT, group_name TEXT, target TEXT, chunks INTEGER, PRIMARY KEY(source, path)) WITHOUT ROWID;
`

// View is a view with a stable name and stable columns.
type View struct {
	Name    string
	Columns []Column
	from    string
}

// Column is a column of a view.
type Column struct {
	Name string
	as   string // the expression behind it, if it is not the column of this name
}

// Views returns all views on which users may rely.
func Views() []View {
	return []View{
		{"snapshots", columns("id", "short_id=substr(id, 1, 12)", "time", "set_name", "host", "user", "writer", "started", "finished", "stored", "parent",
			"program", "complete", "claimed", "undated", "standing", "sources=(SELECT count(*) FROM _source WHERE snapshot = s.id)",
			"files=(SELECT sum(files) FROM _source WHERE snapshot = s.id)", "bytes=(SELECT sum(bytes) FROM _source WHERE snapshot = s.id)",
			"missed=(SELECT sum(missed) FROM _source WHERE snapshot = s.id)"), "_snapshot AS s"},
		{"snapshot_sources", columns("snapshot", "source=name", "type", "location", "paths", "moment", "finished", "files", "directories",
			"others", "bytes", "files_new", "files_changed", "files_unmodified", "missed", "has_files=filled"), "_source"},
		{"snapshot_tags", columns("snapshot", "tag"), "_tag"},
		{"records", columns("id", "object", "writer", "lane", "sequence", "kind", "time", "stored", "domain", "config", "program"), "_record"},
		{"index_runs", columns("id", "record", "packs", "chunks"), "_run"},
		{"packs", columns("id", "kind", "bytes", "chunks", "raw_bytes", "compressed_bytes", "index_run=min(run)"), "_pack GROUP BY id"},
		{"files", columns("snapshot=s.snapshot", "source=s.name", "path=f.path", "type=f.type", "size=f.size",
			"mtime=strftime('%Y-%m-%dT%H:%M:%SZ', f.mtime / 1000000000, 'unixepoch')", "mtime_ns=f.mtime",
			"mode=f.mode", "uid=f.uid", "gid=f.gid", "owner=f.owner", "group_name=f.group_name", "target=f.target", "chunks=f.chunks"),
			"_source AS s JOIN _file AS f ON f.source = s.id"},
	}
}

func columns(texts ...string) []Column {
	list := make([]Column, len(texts))
	for i, text := range texts {
		list[i].Name, list[i].as, _ = strings.Cut(text, "=")
	}
	return list
}

func (v View) definition() string {
	var list []string
	for _, c := range v.Columns {
		if c.as == "" {
			list = append(list, c.Name)
			continue
		}
		list = append(list, c.as+" AS "+c.Name)
	}
	return "CREATE VIEW " + v.Name + " AS SELECT " + strings.Join(list, ", ") + " FROM " + v.from + ";\n"
}

func definitions() string {
	text := tables
	for _, v := range Views() {
		text += v.definition()
	}
	return text
}
