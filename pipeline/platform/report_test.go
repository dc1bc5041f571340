package platform

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/packstone/packstone/catalog"
)

// some is a report of everything.
func some() *Report {
	return &Report{
		Format: 1, ID: "0a1b2c3d", Repository: "r", Machine: "m", Set: "platform", At: "2026-01-01", Snapshot: "s", State: Saved, Begun: time.Unix(1, 0).UTC(),
		Maps: Maps{"files": "/srv"},
		Sources: []*Part{
			{Name: "metadata", Type: "database", State: Built, Database: &Swapped{Living: "a", Fresh: "a_restored_0a1b2c3d"}},
			{Name: "files", Type: "files", State: Waiting, Places: []*Spot{{Before: Filled, Saved: "files"}}},
		},
	}
}

func written(t testing.TB, r *Report) (path string, text []byte) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "deep")
	path = filepath.Join(dir, "report.json")
	file, err := Hold(dir, r.Set)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	file.Path = path
	if err := file.Write(r); err != nil {
		t.Fatal(err)
	}
	if text, err = os.ReadFile(path); err != nil {
		t.Fatal(err)
	}
	return path, text
}

func TestAReportIsReadAsItWasWritten(t *testing.T) {
	path, text := written(t, some())
	got, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	want, err := json.Marshal(some())
	if err != nil {
		t.Fatal(err)
	}
	got.Sum = ""
	if again, err := json.Marshal(got); err != nil || string(again) != string(want) {
		t.Errorf("got %s, %v, want %s", again, err, want)
	}
	for name, change := range map[string]string{
		"cut": string(text[:len(text)/2]), "empty": "", "changed": strings.Replace(string(text), "platform", "platfarm", 1),
		"longer": string(text) + "{}", "another form": strings.Replace(string(text), `"format": 1`, `"format": 2`, 1), "null": "null",
		"unknown key": strings.Replace(string(text), `"format": 1,`, `"format": 1, "more": 1,`, 1),
	} {
		if _, err := Parse([]byte(change)); !errors.Is(err, catalog.ErrRefused) {
			t.Errorf("%s: %v, want a refusal", name, err)
		}
	}
}

func TestReportsOfASetAreHeldByOneProcess(t *testing.T) {
	dir := t.TempDir()
	file, err := Hold(dir, "platform")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Hold(dir, "platform"); !errors.Is(err, ErrBusy) {
		t.Errorf("a second one gets %v", err)
	}
	file.Close()
	again, err := Hold(dir, "platform")
	if err != nil {
		t.Fatal(err)
	}
	again.Close()
}

func TestUnfinishedReportsOfASetAreFound(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "odd [name]*")
	for name, change := range map[string]func(r *Report){
		"open":  func(*Report) {},
		"done":  func(r *Report) { r.State = Done },
		"other": func(r *Report) { r.Set = "other" },
		"far":   func(r *Report) { r.Repository = "another" },
	} {
		r := some()
		change(r)
		file, err := Hold(dir, r.Set)
		if err != nil {
			t.Fatal(err)
		}
		file.Path = filepath.Join(dir, name+".json")
		if err := errors.Join(file.Write(r), file.Close()); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "torn.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	var warned []string
	found, err := FindUnfinished(dir, "r", "platform", func(text string) { warned = append(warned, text) })
	if err != nil || len(found) != 1 || found[filepath.Join(dir, "open.json")] == nil {
		t.Errorf("found %v, %v, want the open one", found, err)
	}
	if len(warned) != 1 || !strings.Contains(warned[0], "torn.json") {
		t.Errorf("warned %q", warned)
	}
}

func FuzzReport(f *testing.F) {
	_, text := written(f, some())
	f.Add(text)
	f.Add([]byte(`{"format":1,"sources":[null]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := Parse(text)
		if err != nil {
			return
		}
		if sum, err := r.sum(); err != nil || sum != r.Sum {
			t.Errorf("the sum %s of what was read is not %s: %v", sum, r.Sum, err)
		}
	})
}
