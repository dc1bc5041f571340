package source_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/packstone/packstone/pipeline/source"
	"github.com/packstone/packstone/pipeline/source/files"
)

func TestTheSpeedOfASourceIsMeasured(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a", "b", "c"} {
		if err := os.WriteFile(filepath.Join(dir, name), make([]byte, 1000), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for limit, want := range map[time.Duration]source.Speed{time.Hour: {Files: 3, Bytes: 3000, Whole: true}, -1: {}} {
		s, err := files.New(files.Options{Roots: []string{dir}})
		if err != nil {
			t.Fatal(err)
		}
		got, err := source.MeasureSpeed(t.Context(), s, 2, limit)
		if got.Took = 0; err != nil || got != want {
			t.Errorf("within %v: got %+v, %v; want %+v", limit, got, err, want)
		}
		s.Close()
	}
}
