package service

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/packstone/packstone/cmd/internal/config"
	"github.com/packstone/packstone/cmd/internal/daemon"
	"github.com/packstone/packstone/cmd/internal/exitcode"
	"github.com/packstone/packstone/cmd/internal/health"
	"github.com/packstone/packstone/cmd/internal/history"
	"github.com/packstone/packstone/cmd/internal/machine"
	"github.com/packstone/packstone/cmd/internal/notice"
	"github.com/packstone/packstone/cmd/internal/output"
)

// desk is a service whose jobs do nothing but end with a code.
type desk struct {
	path string // of its settings
	said bytes.Buffer
	code int
	ran  []string
	*Service
}

const scheduled = `version: 1
repository: %s/repository
sources:
  files: {type: files, path: /etc}
sets:
  platform: {sources: [files], schedule: "@daily"}
`

// open opens the service of a settings file.
func (d *desk) open(t *testing.T, settings string) error {
	t.Helper()
	if d.path == "" {
		d.path = filepath.Join(t.TempDir(), "packstone.yaml")
	}
	d.write(t, settings)
	home := filepath.Dir(d.path)
	m := machine.New(machine.NewEnv([]string{"HOME=" + home, "PACKSTONE_STATE_DIR=" + home}))
	m.Flags, m.Warn, m.Note = &machine.Flags{}, func(string) {}, func(string, ...any) {}
	m.Reach = func(config.Repository) config.StoreOptions { return config.StoreOptions{} }
	at, err := config.ParseRepository(filepath.Join(home, "repository"))
	if err == nil {
		_, err = m.Found(t.Context(), at, machine.FoundOptions{Classic: true}) // with this host's key
	}
	if err != nil {
		t.Fatal(err)
	}
	d.Service, err = New(d.path, Options{
		Machine: m, Version: "1", Out: output.New(output.Options{Stdout: &d.said, Stderr: &d.said}), Stderr: &d.said,
		Run: func(_ context.Context, j daemon.Job, settings *config.Config, said *daemon.JobLog) daemon.Result {
			d.ran = append(d.ran, j.Name)
			fmt.Fprintln(said, "at work")
			return daemon.Result{Code: d.code, Cause: "it was made so"}
		},
		At:     func(string, *config.Config, bool) (*machine.Machine, func()) { return m, func() {} },
		Sender: func(*config.Config) *notice.Sender { return notice.New(nil, notice.Options{}) },
	})
	return err
}

func (d *desk) write(t *testing.T, settings string) {
	t.Helper()
	if strings.Contains(settings, "%s") {
		settings = fmt.Sprintf(settings, filepath.Dir(d.path))
	}
	if err := os.WriteFile(d.path, []byte(settings), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestSettingsThatScheduleNothingAreRefused(t *testing.T) {
	var d desk
	err := d.open(t, strings.Replace(scheduled, `, schedule: "@daily"`, "", 1))
	var known *exitcode.Error
	if !errors.As(err, &known) || known.Code != exitcode.Usage || !strings.Contains(err.Error(), "schedules nothing") {
		t.Errorf("got %v", err)
	}
}

func TestWhatIsDueIsDoneOnceAndToldAsItEnded(t *testing.T) {
	d := desk{code: exitcode.Missing}
	if err := d.open(t, scheduled); err != nil {
		t.Fatal(err)
	}
	if err := d.Own(); err != nil {
		t.Fatal(err)
	}
	err := d.Once(t.Context())
	var known *exitcode.Error
	if !errors.As(err, &known) || known.Code != exitcode.Missing || !errors.Is(err, exitcode.ErrReported) {
		t.Errorf("ended with %v, want the code of the job", err)
	}
	if err := d.Once(t.Context()); err != nil {
		t.Errorf("with nothing due it ended with %v", err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(d.ran, ", "); got != "backup platform" {
		t.Errorf("ran %s, want backup platform, once", got)
	}
	for _, want := range []string{"backup platform: at work", "backup platform: begins (first)", "it was made so", "nothing is due"} {
		if !strings.Contains(d.said.String(), want) {
			t.Errorf("said\n%s\nwithout %q", &d.said, want)
		}
	}
}

func TestWrongSettingsLeaveTheOldOnesInUse(t *testing.T) {
	var d desk
	if err := d.open(t, scheduled); err != nil {
		t.Fatal(err)
	}
	was := d.settings
	d.write(t, "sets: [")
	if jobs, ok := d.reload(); ok || d.settings != was {
		t.Errorf("took %v from settings that are wrong", jobs)
	}
	if !strings.Contains(d.said.String(), "keeping the old settings") {
		t.Errorf("said %q", &d.said)
	}
}

func TestAPingTellsHowABackupEnded(t *testing.T) {
	for _, test := range []struct {
		kind    string
		outcome health.Outcome
		phase   notice.Phase
		tail    string
		waited  bool
	}{
		{daemon.Backup, health.Done, notice.Success, "said", true},
		{daemon.Backup, health.Missing, notice.Failure, "said\nwhy", true},
		{daemon.Backup, health.Broken, notice.Failure, "said\nwhy", true},
		{daemon.Backup, health.Interrupted, "", "", false},
		{daemon.Prune, health.Broken, "", "", false},
	} {
		run := &history.Run{Kind: test.kind, Log: "said", Run: health.Run{Outcome: test.outcome, Cause: "why"}}
		if phase, tail, waited := pingOf(run); phase != test.phase || tail != test.tail || waited != test.waited {
			t.Errorf("%s %s: %q %q %v, want %q %q %v", test.kind, test.outcome, phase, tail, waited, test.phase, test.tail, test.waited)
		}
	}
}

func TestOfItsOwnSetsTheServiceKnowsMost(t *testing.T) {
	now := time.Date(2026, 11, 20, 14, 0, 0, 0, time.UTC)
	own := health.Set{Name: "platform", Host: "here", State: health.Late}
	got := merged([]health.Set{{Name: "platform", Host: "here"}, {Name: "platform", Host: "there", MaxAge: time.Hour}}, []health.Set{own}, now)
	if got[0].State != health.Late {
		t.Errorf("of its own it shows %q", got[0].State)
	}
	if want := health.Judge(health.Set{Name: "platform", Host: "there", MaxAge: time.Hour}, now); got[1].State != want.State || got[1].State == "" {
		t.Errorf("of others it shows %q, want %q", got[1].State, want.State)
	}
}

// once lets the service do what is due, with what counts.json held before, and returns its only set.
func (d *desk) once(t *testing.T, settings, counts string) health.Set {
	t.Helper()
	if err := d.open(t, settings); err != nil {
		t.Fatal(err)
	}
	if err := d.Own(); err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	file := strings.TrimSuffix(d.Machine.HistoryPath(d.path), ".db") + "-counts.json"
	if err := os.WriteFile(file, []byte(counts), 0o600); err != nil {
		t.Fatal(err)
	}
	var known *exitcode.Error
	if err := d.Once(t.Context()); err != nil && (!errors.As(err, &known) || known.Code != d.code) {
		t.Fatal(err)
	}
	sets := d.facts.Load().Sets
	if len(sets) != 1 {
		t.Fatalf("sets: %v\n%s", sets, &d.said)
	}
	return sets[0]
}

func TestSnapshotsAreCountedAfterABackupThatWasDone(t *testing.T) {
	for code, want := range map[int]int{exitcode.Done: 0, exitcode.Missing: 0, exitcode.Failed: 7, exitcode.Integrity: 7} {
		d := desk{code: code}
		if s := d.once(t, scheduled, `{"": {"platform": 7}}`); s.Snapshots != want || !s.Counted {
			t.Errorf("after a backup that ended with %d: %d, %v, want %d\n%s", code, s.Snapshots, s.Counted, want, &d.said)
		}
	}
}

func TestWhereASetNoLongerGoesItsSnapshotsDoNotCount(t *testing.T) {
	settings := strings.NewReplacer("repository: %s/repository", "repositories:\n  near: {url: %s/repository}\n  far: {url: /nowhere}",
		"sources: [files]", "sources: [files], to: [near]").Replace(scheduled)
	d := desk{code: exitcode.Failed}
	if s := d.once(t, settings, `{"near": {"platform": 3}, "far": {"platform": 9}}`); s.Snapshots != 3 {
		t.Errorf("it has %d snapshots, want the 3 where it goes", s.Snapshots)
	}
}
