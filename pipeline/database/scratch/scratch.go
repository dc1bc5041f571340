// Package scratch makes databases that are filled, looked at and thrown away: on a server that it
// starts by itself from programs of this machine, or beside others on a server that is there.
//
// A server listens on a socket in a private directory and nowhere else, and never runs as root. It
// ends with the process that has started it, however that ends: a guard sees to it. What a guard
// could not end EndIn does.
package scratch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/packstone/packstone/pipeline/database"
)

// ErrNotInstalled: this machine has not the programs of a server.
var ErrNotInstalled = errors.New("the server is not installed on this machine")

// socketFolder is where a server listens: short, since paths of sockets are. MariaDB's temporary
// tables lie there too: in /tmp, a server that starts would remove those of others.
const socketFolder = "s"

// Name is what the database of a server of this package, and the role that it belongs to, are
// called.
const Name = "drill"

// recipe is how the servers of an engine are made.
type recipe struct {
	programs func() (map[string]string, error) // by name, where they are
	user     string                            // as whom it runs where we are root
	install  func(programs map[string]string, dir string) []string
	serve    func(programs map[string]string, dir string) []string
	address  func(dir, user, name string) string // a URL
	superior string                              // who may do everything
	first    string                              // a database that a new server has
	prepare  []string                            // SQL that makes the database
	end      syscall.Signal                      // on which it stops at once
}

var recipes = map[string]recipe{database.Postgres: postgres, database.MariaDB: mariadb}

// recipeOf finds the recipe for an engine, or one that understands its language.
func recipeOf(engine string) (recipe, error) {
	for name, r := range recipes {
		if database.Family(name) == database.Family(engine) {
			return r, nil
		}
	}
	return recipe{}, fmt.Errorf("start a server of %s: %w", engine, ErrNotInstalled)
}

// Installed tells whether a server of an engine can be started here; the error says what is
// missing.
func Installed(engine string) error {
	r, err := recipeOf(engine)
	if err == nil {
		_, err = r.programs()
	}
	return err
}

// Server is a server that runs. It is for one goroutine.
type Server struct {
	dir     string
	recipe  recipe
	process *exec.Cmd
	ended   chan error // of the process
	guard   *exec.Cmd
	leash   io.Closer // which ends with this process
}

// patience is how long a server may take to answer.
const patience = 2 * time.Minute

// Start makes a server in a new directory, whose parent is there, and an empty database on it. The
// error says what the server has said.
func Start(ctx context.Context, engine, dir string, asker database.Asker) (s *Server, at database.Location, err error) {
	r, err := recipeOf(engine)
	if err != nil {
		return nil, at, err
	}
	programs, err := r.programs()
	if err != nil {
		return nil, at, err
	}
	s = &Server{dir: dir, recipe: r}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("start a server of %s in %s: %w", engine, dir, err), s.Stop())
		}
	}()
	as, err := s.room(r.user)
	if err != nil {
		return s, at, err
	}
	if err := install(ctx, as, r.install(programs, dir)); err != nil {
		return s, at, err
	}
	if err := s.serve(as, r.serve(programs, dir)); err != nil {
		return s, at, err
	}
	if err := s.prepare(ctx, asker); err != nil {
		return s, at, err
	}
	at, err = database.ParseLocation(r.address(dir, Name, Name))
	return s, at, err
}

// mostSocket is how long the path of a socket may be, on the meanest of systems.
const mostSocket = 103

// room makes the directory of the server.
func (s *Server) room(user string) (as *owner, err error) {
	if socket := filepath.Join(s.dir, socketFolder, ".s.PGSQL."+postgresPort); len(socket) > mostSocket {
		return nil, fmt.Errorf("the path is too long for a socket by %d characters: name a shorter directory", len(socket)-mostSocket)
	}
	if as, err = ownerFor(filepath.Dir(s.dir), user); err != nil {
		return nil, err
	}
	for _, dir := range []string{s.dir, filepath.Join(s.dir, socketFolder)} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			return nil, err
		}
		if err := as.own(dir); err != nil {
			return nil, err
		}
	}
	return as, as.reaches(s.dir)
}

// install runs the program that makes the server's files.
func install(ctx context.Context, as *owner, args []string) error {
	var out bytes.Buffer
	cmd := as.command(args)
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
	defer stop()
	err := cmd.Wait()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		return fmt.Errorf("%s: %w: %s", filepath.Base(args[0]), err, lastLines(out.Bytes()))
	}
	return nil
}

// guardian waits until its input ends, and ends the server.
const guardian = `read line; kill -$1 $2`

// serve starts the server, and the guard that ends it when this process is no more.
func (s *Server) serve(as *owner, args []string) error {
	log, err := os.OpenFile(s.log(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := as.command(args)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return err
	}
	s.process, s.ended = cmd, make(chan error, 1)
	go func() { s.ended <- cmd.Wait() }()
	s.guard = exec.Command("/bin/sh", "-c", guardian, "sh", fmt.Sprint(int(s.recipe.end)), fmt.Sprint(cmd.Process.Pid))
	s.guard.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if s.leash, err = s.guard.StdinPipe(); err != nil {
		return err
	}
	return s.guard.Start()
}

func (s *Server) log() string { return filepath.Join(s.dir, "log") }

// prepare waits for the server, and makes the database.
func (s *Server) prepare(ctx context.Context, asker database.Asker) error {
	at, err := database.ParseLocation(s.recipe.address(s.dir, s.recipe.superior, s.recipe.first))
	if err != nil {
		return err
	}
	session, err := s.wait(ctx, asker, at)
	if err != nil {
		return err
	}
	for _, statement := range s.recipe.prepare {
		if _, err = session.Exec(ctx, statement); err != nil {
			break
		}
	}
	return errors.Join(err, session.Close())
}

// wait connects as soon as the server answers.
func (s *Server) wait(ctx context.Context, asker database.Asker, at database.Location) (database.Session, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		session, err := asker.OpenSession(ctx, at)
		if err == nil {
			return session, nil
		}
		select {
		case ended := <-s.ended:
			s.ended <- ended
			return nil, fmt.Errorf("it has ended: %v: %s", ended, s.said())
		case <-ctx.Done():
			return nil, fmt.Errorf("it does not answer: %w: %s", err, s.said())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// said is what the server has said last.
func (s *Server) said() string {
	text, _ := os.ReadFile(s.log())
	return lastLines(text)
}

// lastLines are the last lines of an output, in one.
func lastLines(out []byte) string {
	lines := strings.Split(strings.TrimSpace(strings.ToValidUTF8(string(out), "")), "\n")
	return strings.Join(lines[max(0, len(lines)-3):], "; ")
}

// grace is how long a server may take to end before it is killed.
const grace = 20 * time.Second

// Stop ends the server, and waits for it. Its files stay: they are the caller's to remove. It may
// be called again.
func (s *Server) Stop() error {
	if s.process == nil {
		return nil
	}
	_ = s.process.Process.Signal(s.recipe.end) // an error: it has ended
	select {
	case <-s.ended:
	case <-time.After(grace):
		_ = syscall.Kill(-s.process.Process.Pid, syscall.SIGKILL)
		<-s.ended
	}
	s.process = nil
	if s.guard.Process != nil {
		_ = s.guard.Process.Kill() // before it takes another process for the server
		_ = s.guard.Wait()
		_ = s.leash.Close()
	}
	return nil
}
