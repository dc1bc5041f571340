package reception

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/cmd/internal/exitcode"
	"github.com/packstone/packstone/cmd/internal/message"
)

// run backs up to repositories, each of which ends as its letter says: k with a snapshot, m with one
// that lacks something, d with one that is damaged, u with one whose sources do not fit together, f
// with nothing.
func run(t *testing.T, ends string) (made *message.Backup, code int, told, origins []string) {
	t.Helper()
	codes := map[byte]int{'m': exitcode.Missing, 'd': exitcode.Integrity, 'u': exitcode.Drill, 'f': exitcode.Failed}
	codeOf := func(err error) int {
		var known *exitcode.Error
		if errors.As(err, &known) {
			return known.Code
		}
		return exitcode.Done
	}
	s := Several{
		Receive: func(_ context.Context, r *Reception, origin *catalog.Origin) error {
			if origin != nil {
				origins = append(origins, r.Name+" after "+origin.Repository)
			}
			if r.Name != "f" {
				r.Repo = &catalog.Repository{Format: archive.Format{Repository: r.Name}}
				r.Made = &Made{Snapshot: &catalog.Snapshot{}, Summary: message.Backup{SnapshotID: r.Name}}
			}
			if code := codes[r.Name[0]]; code != 0 {
				return exitcode.With(code, "%s", r.Name)
			}
			return nil
		},
		DryRun:  true,
		Problem: func(item, _ string, _ error) { told = append(told, item) },
		Code:    codeOf,
	}
	made, err := s.BackUp(t.Context(), strings.Split(ends, ""))
	return made, codeOf(err), told, origins
}

func TestABackupToSeveralEndsAsWhatIsMissingSays(t *testing.T) {
	for _, test := range []struct {
		ends string
		code int
		made string // "": nothing
	}{
		{"kk", exitcode.Done, "k"},
		{"ff", exitcode.Failed, ""},
		{"kf", exitcode.Missing, "k"},
		{"fk", exitcode.Missing, "k"},
		{"km", exitcode.Missing, "k"},
		{"kmd", exitcode.Integrity, "k"},
		{"uk", exitcode.Drill, "u"},
		{"uud", exitcode.Integrity, "u"},
	} {
		made, code, told, _ := run(t, test.ends)
		if code != test.code || (made == nil) != (test.made == "") || made != nil && made.SnapshotID != test.made {
			t.Errorf("%s: code %d and %v, want %d and %q", test.ends, code, made, test.code, test.made)
		}
		if want := len(test.ends) - strings.Count(test.ends, "k"); len(told) != want {
			t.Errorf("%s: told of %v, want %d", test.ends, told, want)
		}
	}
}

func TestLaterRepositoriesLearnWhatTheFirstHas(t *testing.T) {
	if _, _, _, origins := run(t, "fkm"); !slices.Equal(origins, []string{"m after k"}) {
		t.Errorf("got %v", origins)
	}
}

func TestAnInterruptionEndsTheBackup(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	received := 0
	s := Several{Receive: func(context.Context, *Reception, *catalog.Origin) error {
		received++
		cancel()
		return nil
	}}
	if _, err := s.BackUp(ctx, []string{"a", "b"}); !errors.Is(err, context.Canceled) || received != 1 {
		t.Errorf("%d received, %v", received, err)
	}
}
