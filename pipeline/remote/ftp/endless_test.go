package ftp_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/packstone/packstone/pipeline/remote/ftp"
)

// hostile is a server that lets everybody in, and whose answers to one command do not end.
type hostile struct {
	t        *testing.T
	features string // beside UTF8
	control  string // the command that is answered without end, if one is
	piece    string // of an answer, or of each listing, again and again
	sent     atomic.Int64
}

func (h *hostile) start() *ftp.Server {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go h.serve(conn)
		}
	}()
	s, err := ftp.NewServer(ftp.Options{Host: "127.0.0.1", Port: listener.Addr().(*net.TCPAddr).Port, Connections: 1})
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { s.Close() })
	return s
}

func (h *hostile) serve(conn net.Conn) {
	defer conn.Close()
	say := func(text string) { fmt.Fprintf(conn, "%s\r\n", text) }
	say("220 welcome")
	var data net.Listener
	for lines := bufio.NewScanner(conn); lines.Scan(); {
		command, _, _ := strings.Cut(strings.ToUpper(lines.Text()), " ")
		switch {
		case command == h.control:
			h.flood(conn)
			return
		case command == "USER":
			say("331 password")
		case command == "PASS":
			say("230 in")
		case command == "FEAT":
			say("211-these:\r\n UTF8\r\n" + h.features + "211 end")
		case command == "CWD":
			say("250 there")
		case command == "PWD":
			say(`257 "/"`)
		case command == "EPSV":
			data, _ = net.Listen("tcp", "127.0.0.1:0")
			say(fmt.Sprintf("229 go on (|||%d|)", data.Addr().(*net.TCPAddr).Port))
		case command == "MLSD", command == "LIST":
			say("150 here it comes")
			if wire, err := data.Accept(); err == nil {
				h.flood(wire)
				wire.Close()
			}
			data.Close()
			say("426 cut off")
		default:
			say("200 well")
		}
	}
}

// flood sends up to a gigabyte.
func (h *hostile) flood(to net.Conn) {
	piece := strings.Repeat(h.piece, 1+(64<<10)/len(h.piece))
	for range 1 << 30 / len(piece) {
		n, err := io.WriteString(to, piece)
		if h.sent.Add(int64(n)); err != nil {
			return
		}
	}
}

func TestAListingWithoutEndIsCutOff(t *testing.T) {
	const facts, most = " MLST type*;size*;modify*;\r\n", 400 << 20
	for name, h := range map[string]*hostile{
		"facts":         {features: facts, piece: "type=file;size=1; a\r\n"},
		"lines":         {piece: "-rw-r--r-- 1 u g 1 Nov 22 17:36 a\r\n"},
		"one long line": {features: facts, piece: "a"},
		"long lines":    {features: facts, piece: "type=file;size=1; " + strings.Repeat("a", 60000) + "\r\n"},
		"nothing known": {features: facts, piece: "?\r\n"},
		"empty lines":   {piece: "\r\n"},
		"an answer":     {control: "FEAT", piece: " UTF8\r\n"},
		"a long answer": {control: "FEAT", piece: "a"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h.t = t
			s := h.start()
			err := s.Do(context.Background(), "list", "/", func(c *ftp.Conn) error {
				l, err := c.ListAll("/")
				if len(l.Problems) > 1000 {
					t.Errorf("%d problems are told", len(l.Problems))
				}
				return err
			})
			if err == nil || h.sent.Load() > most || errors.Is(err, ftp.ErrUnreachable) != (h.control != "") {
				t.Errorf("%v after %d bytes", err, h.sent.Load())
			}
		})
	}
}
