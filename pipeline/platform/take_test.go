package platform

import (
	"errors"
	"path/filepath"
	"testing"

	"github.com/packstone/packstone/catalog"
)

func TestARestoreGoesOnWithTheReportOfTheSameMoment(t *testing.T) {
	path, _ := written(t, some())
	dir, maps := filepath.Dir(path), Maps{"files": "/srv"}
	noWarning := func(text string) { t.Error(text) }
	file, report, err := Take(dir, "r", "platform", "2026-01-01", maps, false, noWarning)
	if err != nil || report == nil || report.ID != some().ID || file.Path != path {
		t.Fatalf("got %v of %v, %v", report, file, err)
	}
	if _, _, err := Take(dir, "r", "platform", "2026-01-01", maps, false, noWarning); !errors.Is(err, ErrBusy) {
		t.Errorf("a second one at the same time: %v", err)
	}
	if _, report, err := Take(dir, "r", "platform", "2026-01-01", maps, true, noWarning); err != nil || report == nil {
		t.Errorf("a dry run: %v, %v", report, err)
	}
	if _, _, err := TakeFile(dir, path, false); !errors.Is(err, ErrBusy) {
		t.Errorf("undone meanwhile: %v", err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	if _, _, err := Take(dir, "r", "platform", "2026-02-02", maps, false, noWarning); !errors.Is(err, catalog.ErrRefused) {
		t.Errorf("another moment, while that one is not finished: %v", err)
	}
	file, report, err = TakeFile(dir, path, false) // which the refusal has let go
	if err != nil || report.ID != some().ID || file.Path != path {
		t.Fatalf("got %v of %v, %v", report, file, err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
}
