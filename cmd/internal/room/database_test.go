package room

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/cmd/internal/config"
	"github.com/packstone/packstone/pipeline/database"
)

// server is a database server that only notes what it is told to do.
type server struct {
	database.Asker
	done     []string
	deadline bool // each statement came with a time by which it must end
	fail     error
}

// OpenSession implements database.Asker.
func (s *server) OpenSession(context.Context, database.Location) (database.Session, error) {
	return session{server: s}, s.fail
}

type session struct {
	database.Session
	server *server
}

// Exec implements database.Session.
func (s session) Exec(ctx context.Context, sql string) (int64, error) {
	_, s.server.deadline = ctx.Deadline()
	s.server.done = append(s.server.done, sql)
	return 0, nil
}

// Close implements database.Session.
func (s session) Close() error { return nil }

// servers reach this server alone.
func (s *server) servers() servers {
	return servers{func(database.Location) (database.Asker, error) { return s, nil }}
}

// urlFile is a file with the URL of a database.
func urlFile(t *testing.T, url string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "url")
	if err := os.WriteFile(file, []byte(url+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestADatabaseIsNotedBeforeItIsMade(t *testing.T) {
	r, err := New(filepath.Join(t.TempDir(), "scratch"), Note{Began: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	s, file := &server{}, urlFile(t, "postgres://anna@db/crm")
	at, err := s.servers().makeDatabase(t.Context(), "crm", file, func(d Database) error {
		if len(s.done) > 0 {
			t.Errorf("%q was done before it was noted", s.done)
		}
		return r.Borrow(d)
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Databases) != 1 || r.Databases[0].Source != "crm" || r.Databases[0].Server != file || !strings.HasPrefix(r.Databases[0].Mark, "page") {
		t.Fatalf("noted %+v", r.Databases)
	}
	made := r.Databases[0]
	if len(s.done) != 1 || !strings.HasPrefix(s.done[0], "CREATE DATABASE "+made.Name) || !strings.HasSuffix(at.Reveal(), "/"+made.Name) {
		t.Errorf("%q was done for %+v, and the database is at %s", s.done, made, at)
	}
	if err := r.Discard(s.servers().dropDatabase); err != nil {
		t.Fatal(err)
	}
	if want := "DROP DATABASE IF EXISTS " + made.Name; !slices.Contains(s.done, want) || !s.deadline {
		t.Errorf("%q was done, want %q within a time (%v)", s.done, want, s.deadline)
	}
}

func TestADatabaseThatCannotBeNotedIsNotMade(t *testing.T) {
	s, full := &server{}, errors.New("the disk is full")
	_, err := s.servers().makeDatabase(t.Context(), "crm", urlFile(t, "postgres://anna@db/crm"), func(Database) error { return full })
	if !errors.Is(err, full) || len(s.done) > 0 {
		t.Errorf("got %v, and %q was done", err, s.done)
	}
}

func TestAServerThatCannotBeUsedIsToldBeforeAnythingIsNoted(t *testing.T) {
	noted := func(d Database) error {
		t.Errorf("noted %+v", d)
		return nil
	}
	for _, test := range []struct {
		file string
		want error
	}{
		{filepath.Join(t.TempDir(), "none"), fs.ErrNotExist},
		{urlFile(t, "no URL"), config.ErrInvalid},
		{urlFile(t, "sqlserver://db/crm"), catalog.ErrMisuse},
	} {
		if _, err := MakeDatabase(t.Context(), "crm", test.file, noted); !errors.Is(err, test.want) {
			t.Errorf("make: got %v, want %v", err, test.want)
		}
		if err := DropDatabase(Database{Server: test.file, Mark: "page1"}); !errors.Is(err, test.want) {
			t.Errorf("drop: got %v, want %v", err, test.want)
		}
	}
	down := &server{fail: database.ErrUnreachable}
	if err := down.servers().dropDatabase(Database{Server: urlFile(t, "postgres://anna@db/crm"), Mark: "page1"}); !errors.Is(err, database.ErrUnreachable) {
		t.Errorf("drop on a server that is down: got %v, want %v", err, database.ErrUnreachable)
	}
}

func TestWhatIsNotOursIsNotDropped(t *testing.T) {
	for _, mark := range []string{"", "x; DROP DATABASE crm", "PAGE1"} {
		s := &server{}
		if err := s.servers().dropDatabase(Database{Server: urlFile(t, "postgres://anna@db/crm"), Mark: mark}); err == nil || len(s.done) > 0 {
			t.Errorf("mark %q: got %v, and %q was done", mark, err, s.done)
		}
	}
}
