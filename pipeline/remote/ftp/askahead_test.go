package ftp_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/packstone/packstone/pipeline/remote/ftp"
)

// patient is a server that confirms the end of a transfer when the next command has come, as one
// does that is far away, or loses what comes before.
type patient struct {
	t      *testing.T
	loses  bool
	broken bool // the first transfer ends in an error, though the data is all there
	early  atomic.Int64
}

func (p *patient) start(timeout time.Duration) *ftp.Server {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go p.serve(conn)
		}
	}()
	s, err := ftp.NewServer(ftp.Options{Host: "127.0.0.1", Port: listener.Addr().(*net.TCPAddr).Port, Connections: 1, Timeout: timeout})
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { s.Close() })
	return s
}

func (p *patient) serve(conn net.Conn) {
	defer conn.Close()
	say := func(text string) { fmt.Fprintf(conn, "%s\r\n", text) }
	say("220 welcome")
	var data net.Listener
	for lines := bufio.NewScanner(conn); lines.Scan(); {
		switch command, _, _ := strings.Cut(lines.Text(), " "); command {
		case "USER":
			say("331 password")
		case "PASS":
			say("230 in")
		case "FEAT":
			say("211-these:\r\n MLST type*;size*;modify*;\r\n211 end")
		case "PWD":
			say(`257 "/"`)
		case "EPSV":
			data, _ = net.Listen("tcp", "127.0.0.1:0")
			say(fmt.Sprintf("229 go on (|||%d|)", data.Addr().(*net.TCPAddr).Port))
		case "MLST":
			say("250-it is\r\n type=file;size=7;modify=20200101000000; /f\r\n250 end")
		case "RETR":
			say("150 here it comes")
			p.send(data)
			if p.waits(conn, lines) {
				say("226 all of it")
				say("250-it is\r\n type=file;size=7;modify=20200101000000; /f\r\n250 end")
				continue
			}
			if p.broken {
				say("550 the disk has failed")
				say("250-it is\r\n type=file;size=9;modify=20200101000000; /f\r\n250 end")
				p.broken = false
				continue
			}
			say("226 all of it")
		default:
			say("200 well")
		}
	}
}

func (p *patient) send(data net.Listener) {
	defer data.Close()
	if wire, err := data.Accept(); err == nil {
		_, _ = io.WriteString(wire, "content")
		wire.Close()
	}
}

// waits reads the command that comes before the end of the transfer is confirmed; true if it is to
// be answered.
func (p *patient) waits(conn net.Conn, lines *bufio.Scanner) bool {
	if p.loses && p.early.Load() > 0 {
		return false // it has come, was lost, and comes no more
	}
	if !lines.Scan() || !strings.HasPrefix(lines.Text(), "MLST ") {
		p.t.Errorf("%q came before the end was confirmed, want MLST", lines.Text())
	}
	p.early.Add(1)
	return !p.loses && !p.broken
}

func read(t *testing.T, s *ftp.Server) ftp.Entry {
	t.Helper()
	if err := s.Do(t.Context(), "enter", "/", func(*ftp.Conn) error { return nil }); err != nil {
		t.Fatal(err)
	}
	r, err := s.Open(t.Context(), "/f", 0)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	r.LookAfter()
	if got, err := io.ReadAll(r); err != nil || string(got) != "content" {
		t.Fatalf("read %q, %v", got, err)
	}
	facts, _ := r.Facts()
	return facts
}

func TestTheFactsAreAskedForBeforeTheEndOfATransferIsConfirmed(t *testing.T) {
	p := &patient{t: t}
	s := p.start(time.Minute)
	for range 3 {
		if facts := read(t, s); facts.Size != 7 {
			t.Errorf("size %d, want 7", facts.Size)
		}
	}
	if p.early.Load() != 3 {
		t.Errorf("%d questions came early, want 3", p.early.Load())
	}
}

func TestAServerThatLosesWhatComesEarlyIsAskedLateFromThenOn(t *testing.T) {
	p := &patient{t: t, loses: true}
	s := p.start(time.Second)
	read(t, s)
	for range 2 {
		if facts := read(t, s); facts.Size != 7 {
			t.Errorf("size %d, want 7", facts.Size)
		}
	}
}

func TestAnswersToWhatWasAskedEarlyAreNotTakenForOthersWhenTheTransferFails(t *testing.T) {
	p := &patient{t: t, broken: true}
	s := p.start(time.Minute)
	if err := s.Do(t.Context(), "enter", "/", func(*ftp.Conn) error { return nil }); err != nil {
		t.Fatal(err)
	}
	r, err := s.Open(t.Context(), "/f", 0)
	if err != nil {
		t.Fatal(err)
	}
	r.LookAfter()
	if _, err := io.ReadAll(r); err == nil {
		t.Error("a transfer that failed was taken for whole")
	}
	r.Close()
	if facts := read(t, s); facts.Size != 7 {
		t.Errorf("size %d, want 7", facts.Size)
	}
}
