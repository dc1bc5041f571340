package platform

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/packstone/packstone/archive/disk"
	"github.com/packstone/packstone/catalog"
)

// State is how far a restore of a platform is, or one source of it.
type State string

// States of a restore.
const (
	Begun   State = "begun"   // nothing was changed yet
	Saved   State = "saved"   // what is overwritten was saved, and may have changed since
	Done    State = "done"    // all came back
	Undoing State = "undoing" // what was there is on its way back
	Undone  State = "undone"  // what was there is back
)

// States of a source.
const (
	Waiting  State = "waiting"
	Building State = "building" // a database is being filled beside the living one
	Built    State = "built"    // it is filled and verified
	Restored State = "restored"
)

// Before is what was at a place.
type Before string

// What may have been there.
const (
	Absent Before = "absent"
	Empty  Before = "empty"
	Filled Before = "filled"
)

// Report says what a restore of a platform has done so far. It is written before anything is
// changed, and after every step.
type Report struct {
	Format     int       `json:"format" doc:"The version of this form: 1."`
	ID         string    `json:"id" doc:"What the names of databases that stand beside others end with."`
	Repository string    `json:"repository" doc:"The id of the repository."`
	Machine    string    `json:"machine" doc:"The machine on which it runs."`
	Set        string    `json:"set" doc:"The set."`
	At         string    `json:"at" doc:"The time that was asked for."`
	Maps       Maps      `json:"maps,omitempty" doc:"Where sources come back to, if that is not where the settings have them."`
	Snapshot   string    `json:"snapshot" doc:"The snapshot that comes back."`
	Skew       float64   `json:"skew" doc:"Seconds between the first moment of a source and the last."`
	State      State     `json:"state" doc:"begun: nothing was changed yet; saved: what is overwritten was saved; done; undoing; undone."`
	Safety     string    `json:"safety,omitempty" doc:"The snapshot of what was overwritten; absent: nothing was, or it was not saved."`
	NoSafety   bool      `json:"no_safety,omitempty" doc:"Whether it was agreed that files are overwritten without a copy."`
	Present    string    `json:"present,omitempty" doc:"The snapshot of what was there before what was there earlier came back."`
	Begun      time.Time `json:"begun" doc:"When it began."`
	Ended      time.Time `json:"ended,omitzero" doc:"When all was back, or undone."`
	AccessUser string    `json:"access_user,omitempty" doc:"The user whose access was checked."`
	Denied     uint64    `json:"denied" doc:"Entries that this user could not use."`
	Sources    []*Part   `json:"sources" doc:"The sources, in the order of the snapshot."`
	Sum        string    `json:"sum" doc:"The SHA-256 of all the rest."`
}

// Part is what a report says of a source.
type Part struct {
	Name     string    `json:"name" doc:"The source."`
	Type     string    `json:"type" doc:"Its type."`
	Where    string    `json:"where" doc:"Where it comes back to."`
	Moment   time.Time `json:"moment" doc:"The moment of which it is."`
	State    State     `json:"state" doc:"waiting, building (a database is filled beside the living one), built, restored; undone."`
	Database *Swapped  `json:"database,omitempty" doc:"Of a database: the names that it has."`
	Places   []*Spot   `json:"places,omitempty" doc:"Of files: their places."`
	Work
	Undo *Work `json:"undo,omitempty" doc:"What --undo has done."`
}

// Work is what was done with the files of a source.
type Work struct {
	Restored uint64  `json:"restored" doc:"Entries that were written."`
	Kept     uint64  `json:"kept" doc:"Entries that were there already."`
	Deleted  uint64  `json:"deleted" doc:"Entries that were removed."`
	Failed   uint64  `json:"failed" doc:"Entries that did not come back."`
	Bytes    uint64  `json:"bytes" doc:"Bytes that were written."`
	Seconds  float64 `json:"seconds" doc:"How long it took."`
}

// Swapped are the names of a database that takes another one's place.
type Swapped struct {
	Living string `json:"living" doc:"The name that the platform uses."`
	Fresh  string `json:"fresh" doc:"The name under which it is filled."`
	Before string `json:"before,omitempty" doc:"The name under which the one before is kept; absent: there was none."`
	Drop   string `json:"drop,omitempty" doc:"What a person runs to drop the one that is kept."`
	Undone string `json:"undone,omitempty" doc:"The name under which the restored one is kept after --undo."`
}

// Spot is a place of files.
type Spot struct {
	Below  string `json:"below" doc:"The part of the source; empty: all of it."`
	Before Before `json:"before" doc:"What was there: absent, empty or filled."`
	Saved  string `json:"saved,omitempty" doc:"The source in the snapshot of what was overwritten."`
}

// part finds what the report says of a source.
func (r *Report) part(name string) *Part {
	for _, p := range r.Sources {
		if p.Name == name {
			return p
		}
	}
	return nil
}

// fileName is what the file of a report is called.
func (r *Report) fileName() string {
	return r.Begun.UTC().Format("20060102T150405Z") + "-" + r.Set + "-" + r.ID + ".json"
}

// Unfinished tells whether there is something left to do.
func (r *Report) Unfinished() bool { return r.State != Done && r.State != Undone }

// sum is the SHA-256 of a report without its sum.
func (r *Report) sum() (string, error) {
	bare := *r
	bare.Sum = ""
	text, err := json.Marshal(&bare)
	if err != nil {
		return "", err
	}
	digest := sha256.Sum256(append([]byte("packstone restore report 1\n"), text...))
	return hex.EncodeToString(digest[:]), nil
}

// maxReport bounds the file of a report.
const maxReport = 16 << 20

// Parse reads a report. catalog.ErrRefused if it is torn, or no report of this program.
func Parse(text []byte) (*Report, error) {
	r := new(Report)
	decoder := json.NewDecoder(strings.NewReader(string(text)))
	decoder.DisallowUnknownFields()
	err := decoder.Decode(r)
	if err == nil && decoder.More() {
		err = errors.New("something follows the report")
	}
	if err == nil && r.Format != 1 {
		err = fmt.Errorf("its format is %d, and this program knows 1", r.Format)
	}
	if err == nil {
		err = r.sound()
	}
	if err != nil {
		return nil, catalog.Refuse("the report is torn, or is none: %w", err)
	}
	return r, nil
}

// sound refuses what no run has written.
func (r *Report) sound() error {
	want, err := r.sum()
	switch {
	case err != nil:
		return err
	case want != r.Sum:
		return errors.New("its sum is of another text")
	case !catalog.ValidName(r.Set):
		return fmt.Errorf("it names a set %q", r.Set)
	case !validID(r.ID):
		return fmt.Errorf("it has the id %q", r.ID)
	}
	for _, p := range r.Sources {
		if p == nil || !catalog.ValidName(p.Name) {
			return errors.New("it names a source that none can be")
		}
		for _, s := range p.Places {
			if s == nil {
				return errors.New("it has a place without a name")
			}
		}
	}
	return nil
}

// idBytes is the length of a report's id, before it is written in hex.
const idBytes = 4

func validID(id string) bool {
	bytes, err := hex.DecodeString(id)
	return err == nil && len(bytes) == idBytes && strings.ToLower(id) == id
}

// File is a report on disk. One process works on those of a set.
type File struct {
	Path string
	lock *os.File
}

// ErrBusy: another process works on the reports of a set.
var ErrBusy = errors.New("another process restores this platform now, or undoes that; wait until it has ended")

// Hold keeps other processes from the reports of a set, in a directory which it makes. What is
// known of them is to be read after that.
func Hold(dir, set string) (*File, error) {
	if err := disk.MakeDirectory(dir); err != nil {
		return nil, fmt.Errorf("keep a report: %w", err)
	}
	lock, err := os.OpenFile(filepath.Join(dir, set+".lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock the reports of %s: %w", set, err)
	}
	free, err := disk.TryLock(lock)
	if err == nil && !free {
		err = ErrBusy
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lock the reports of %s: %w", set, err), lock.Close())
	}
	return &File{lock: lock}, nil
}

// Name gives a new report its file in a directory.
func (f *File) Name(dir string, r *Report) { f.Path = filepath.Join(dir, r.fileName()) }

// Close lets others work on the report.
func (f *File) Close() error {
	if f.lock == nil {
		return nil
	}
	return f.lock.Close()
}

// Write replaces the report.
func (f *File) Write(r *Report) (err error) {
	if r.Sum, err = r.sum(); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	err = disk.Replace(f.Path, disk.Options{Prefix: ".report-", Sync: true}, func(w io.Writer) error {
		_, err := w.Write(append(text, '\n'))
		return err
	})
	if err != nil {
		return fmt.Errorf("write the report %s: %w", f.Path, err)
	}
	return nil
}

// Read reads the report at a path.
func Read(path string) (*Report, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read the report: %w", err)
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxReport))
	if err != nil {
		return nil, fmt.Errorf("read the report %s: %w", path, err)
	}
	r, err := Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return r, nil
}

// FindUnfinished finds the reports of a directory, by their paths, of restores of a set that are
// not finished. What cannot be read is told to warn.
func FindUnfinished(dir, repository, set string, warn func(text string)) (map[string]*Report, error) {
	paths, err := filepath.Glob(filepath.Join(escapeGlob(dir), "*.json"))
	if err != nil {
		return nil, fmt.Errorf("look for reports in %s: %w", dir, err)
	}
	found := map[string]*Report{}
	for _, path := range paths {
		r, err := Read(path)
		if err != nil {
			warn(err.Error())
			continue
		}
		if r.Unfinished() && r.Repository == repository && r.Set == set {
			found[path] = r
		}
	}
	return found, nil
}

// escapeGlob makes a pattern that matches a path alone.
func escapeGlob(path string) string {
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(path)
}

// Take holds the reports of a set in a directory, and returns the one of a restore to the same
// moment and places that was cut off, if there is one, with its file. A dry run holds nobody up.
// The caller must close the file.
func Take(dir, repository, set, at string, maps Maps, dryRun bool, warn func(text string)) (*File, *Report, error) {
	file, err := holdFor(dir, set, dryRun)
	if err != nil {
		return nil, nil, err
	}
	found, err := FindUnfinished(dir, repository, set, warn)
	if err == nil {
		var report *Report
		if file.Path, report, err = ToGoOn(found, at, maps); err == nil {
			return file, report, nil
		}
	}
	return nil, nil, errors.Join(err, file.Close())
}

// TakeFile holds the reports of the set of the report at a path, and reads it. The caller must close
// the file.
func TakeFile(dir, path string, dryRun bool) (*File, *Report, error) {
	report, err := Read(path)
	if err != nil {
		return nil, nil, err
	}
	file, err := holdFor(dir, report.Set, dryRun)
	if err != nil {
		return nil, nil, err
	}
	if report, err = Read(path); err != nil { // as it is now that it is held
		return nil, nil, errors.Join(err, file.Close())
	}
	file.Path = path
	return file, report, nil
}

func holdFor(dir, set string, dryRun bool) (*File, error) {
	if dryRun {
		return new(File), nil
	}
	return Hold(dir, set)
}
