package page

import (
	"bytes"
	"encoding/json"
	"os"
	"reflect"
	"testing"

	"github.com/packstone/packstone/cmd/internal/jsonschema"
)

const openAPIFile = "static/openapi.json"

// shapes are what looks answer with.
var shapes = map[string]any{
	"overview": overview{}, "timeline": timeline{}, "snapshot": snapshot{}, "browse": folder{}, "file": file{}, "versions": versions{}, "search": search{},
	"database": tables{}, "table": table{},
	"compare": compared{}, "restore": restoring{}, "jobs": jobs{}, "storage": storage{}, "drills": drills{},
}

// about says what each look is for, and what its parameters mean.
var about = map[string]string{
	"overview": "How each set on each host is.", "timeline": "The snapshots of a set of a host, and what retention will do to them.", "snapshot": "A snapshot with its sources.",
	"browse": "A folder in a snapshot.", "file": "A file, with its beginning if it is text.", "versions": "The contents that a file had over time.",
	"search": "Paths by name, in the newest snapshots or in all.", "compare": "What differs between two snapshots.", "restore": "The commands that restore something.",
	"database": "The tables of a database in a snapshot.", "table": "A table of a database: its schema, and its first rows or those that differ.",
	"jobs": "The last runs of jobs on this host.", "storage": "What the backups take.", "drills": "The restore drills.",
}

var meanings = map[string]string{
	"in": "The repository, if the settings name several.", "set": "A set; of search SET@HOST.", "host": "A host.", "from": "How many to pass over.", "id": "The id of a snapshot, or latest.",
	"source": "A source.", "path": "A path below the source.", "after": "The last name that is known already; of versions and compare, a snapshot.", "before": "A snapshot; of database and table an earlier one, to compare with.", "table": "A table, with its schema.",
	"q": "A part of a name, or a pattern.", "all": "If not empty, all snapshots are searched; of compare, all changes are counted, not only those of the first tenth of a second.", "target": "Where to restore to.", "verify": "If not empty, what was written is read back.",
	"place": "The name of a folder that restore has made.", "job": "A job, such as backup and the name of its set.",
}

// aboutActs says what each act does.
var aboutActs = map[string]string{
	"restore": "Restores a snapshot, a source or a path into a new folder below serve.scratch.", "restore/stop": "Stops the restore into a scratch place, and removes what has come.",
	"restore/remove": "Removes a folder that restore has made.", "jobs/start": "Starts a job as soon as no other is at work.", "jobs/stop": "Stops the job at work, or withdraws one that waits.",
	"storage/measure": "Measures in the background what sets take; storage shows it.",
}

// described are parameters as OpenAPI has them.
func described(names []string) (all []any) {
	all = []any{}
	for _, name := range append([]string{"in"}, names...) {
		all = append(all, map[string]any{"name": name, "in": "query", "description": meanings[name], "schema": map[string]any{"type": "string"}})
	}
	return all
}

// answerOf is an answer of a type.
func answerOf(about string, value any) map[string]any {
	return map[string]any{"description": about, "content": map[string]any{"application/json": map[string]any{"schema": jsonschema.Of(reflect.TypeOf(value), "json")}}}
}

// openAPI describes the routes and types as they are.
func openAPI() map[string]any {
	paths := map[string]any{}
	for _, l := range looks {
		paths[apiPrefix+l.name] = map[string]any{"get": map[string]any{
			"operationId": l.name, "summary": about[l.name], "parameters": described(l.takes),
			"responses": map[string]any{"200": answerOf(about[l.name], shapes[l.name]), "default": answerOf("Why not.", failure{})},
		}}
	}
	for _, a := range acts {
		at, _ := paths[apiPrefix+a.name].(map[string]any)
		if at == nil {
			at = map[string]any{}
			paths[apiPrefix+a.name] = at
		}
		at["post"] = map[string]any{
			"operationId": "post " + a.name, "summary": aboutActs[a.name], "parameters": described(a.takes),
			"responses": map[string]any{"202": answerOf("What is done.", done{}), "default": answerOf("Why not.", failure{})},
		}
	}
	return map[string]any{
		"openapi":    "3.1.0",
		"info":       map[string]any{"title": "packstone", "version": "1", "description": "What packstone run shows, as JSON. A POST acts: it restores into scratch places, and starts and stops jobs; it changes nothing in a repository."},
		"paths":      paths,
		"components": map[string]any{"securitySchemes": map[string]any{"token": map[string]any{"type": "http", "scheme": "bearer"}}},
		"security":   []any{map[string]any{"token": []any{}}},
	}
}

// TestTheOpenAPIFileIsWhatTheRoutesAre keeps the shipped description true: UPDATE_OPENAPI=1 writes
// it anew.
func TestTheOpenAPIFileIsWhatTheRoutesAre(t *testing.T) {
	want, err := json.MarshalIndent(openAPI(), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	want = append(want, '\n')
	if os.Getenv("UPDATE_OPENAPI") != "" {
		if err := os.WriteFile(openAPIFile, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(openAPIFile)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is not what the routes are: UPDATE_OPENAPI=1 writes it anew", openAPIFile)
	}
	for _, a := range acts {
		if aboutActs[a.name] == "" {
			t.Errorf("POST %s is not described", a.name)
		}
		for _, name := range a.takes {
			if meanings[name] == "" {
				t.Errorf("the parameter %s of POST %s is not described", name, a.name)
			}
		}
	}
	for _, l := range looks {
		if shapes[l.name] == nil || about[l.name] == "" {
			t.Errorf("%s is not described", l.name)
		}
		for _, name := range l.takes {
			if meanings[name] == "" {
				t.Errorf("the parameter %s of %s is not described", name, l.name)
			}
		}
	}
}
